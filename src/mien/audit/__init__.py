"""The audit: leakage of embeddings, scores with intervals, and differences; of arrays, tables and run folders."""
