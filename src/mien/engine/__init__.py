"""Training: one step (`minimise`), one loop (`fit`), what is kept (`checkpoint`), on any number of processes."""
