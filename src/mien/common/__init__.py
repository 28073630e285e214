"""Helpers for all packages, which import none of these: settings, files, progress, workers, processes, tables."""
