"""What is decided for one client state."""
