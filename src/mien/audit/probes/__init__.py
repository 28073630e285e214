"""Probes of frozen embeddings, the division of clips they are fitted and tested on, and an eraser (LEACE)."""
