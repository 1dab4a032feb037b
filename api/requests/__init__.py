"""What a request brings: its body, bounded while it is read, forms, fields, and the states that are submitted."""
