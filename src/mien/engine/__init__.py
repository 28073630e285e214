"""Training: one step (`minimise`), one loop (`fit`), its files (`checkpoint`), on any number of processes."""
