"""The HTTP API on Starlette: parse, authenticate, limit, submit, render."""

from importlib.metadata import version

VERSION = version("hypertask")
