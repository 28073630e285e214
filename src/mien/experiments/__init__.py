"""Experiments that come with mien: one YAML file each, with its provenance, its cost and what it is expected to score."""
