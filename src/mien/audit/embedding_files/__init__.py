"""The audit of a user's own embeddings: read files, measure factors."""
