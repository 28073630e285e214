"""Comparison of models: paired differences, systems of several runs, claims, the accuracy-leakage trade-off."""
