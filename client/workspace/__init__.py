"""A folder with its state and its upstreams, put together."""
