"""The worker: resolves batches of client states and writes the authoritative state."""
