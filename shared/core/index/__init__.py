"""The hash map of a space, cursors and range reconciliation."""
