"""What operators type: `hypertask-server` (`api.cli`)."""
