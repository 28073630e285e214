"""Words in leakage tables: columns, suffixes and values that several modules use."""

BALANCED = " (balanced)"  # after a factor: tested on equally many clips of each class
