"""Thin: unpack, resolve, write."""
