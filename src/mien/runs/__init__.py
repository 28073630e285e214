"""A run folder: what training leaves, and how it predicts."""
