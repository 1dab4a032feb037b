"""What the processes have in common. It knows none of them."""

VERSION = "0.1.0"
"""Of all programs, as pyproject.toml says it. Asking for what is installed takes longer than a short command does."""
