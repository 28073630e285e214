"""What is left in an embedding, what a score is worth, what differs: reads arrays, tables and run folders."""
