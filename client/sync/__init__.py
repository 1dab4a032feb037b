"""What a sync decides and does, for one folder and one upstream."""
