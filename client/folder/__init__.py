"""Tasks as files: the folder that people and programs edit."""
