"""Imports: each in a process of its own, a few hundred documents a transaction."""
