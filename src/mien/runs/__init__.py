"""The run folder that training writes, and prediction with its models."""
