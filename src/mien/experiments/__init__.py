"""What is asked: an experiment file with its models, grid, provenance and reference figures."""

from mien.experiments.experiment import Experiment, Variant, load, resolve

__all__ = ["Experiment", "Variant", "load", "resolve"]
