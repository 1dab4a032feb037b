"""What is large is read beside the event loop, and sent piece by piece."""
