"""The audit of anybody's embeddings: files read, factors measured."""
