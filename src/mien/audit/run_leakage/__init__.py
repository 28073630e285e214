"""What is left in the embeddings of a run: which clips are probed, the rows, their means, what is kept."""
