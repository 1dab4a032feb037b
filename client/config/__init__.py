"""Settings, addresses and tokens."""
