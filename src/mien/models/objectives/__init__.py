"""Losses as functions, and the ways of removing a factor from an embedding."""
