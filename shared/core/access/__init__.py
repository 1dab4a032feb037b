"""People, spaces and who may do what in them."""
