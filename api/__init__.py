"""The HTTP API on Starlette: parse, authenticate, limit, submit, render."""

from shared import VERSION

__all__ = ["VERSION"]
