"""Three-way merge by type."""
