"""Scores, intervals, tests and calibration, from arrays and tables of predictions."""
