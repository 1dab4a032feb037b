"""What answers are read from, and kept as they were made last."""
