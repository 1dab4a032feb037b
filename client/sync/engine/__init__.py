"""What a sync decides: values in, values out. No file, no network, no clock."""
