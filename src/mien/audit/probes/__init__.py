"""Who reads what from an embedding: probes, the division they are fitted and tested by, and an eraser."""
