"""What is trained: layers, encoders, objectives and the recipes that put them together; packaged weights."""
