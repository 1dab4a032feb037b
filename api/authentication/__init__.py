"""Which device asks, and when it was heard of."""
