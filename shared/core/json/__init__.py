"""JSON values: strict parsing, canonical form, pointers and paths."""
