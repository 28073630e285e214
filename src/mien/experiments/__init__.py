"""Experiments that come with mien: a YAML file each, with its provenance, its cost and the score to expect."""
