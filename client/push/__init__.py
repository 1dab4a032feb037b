"""Sending documents straight to a server."""
