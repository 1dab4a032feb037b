"""What is bounded, and how fast who may ask: bytes under way, rates, the pace among many."""
