"""JSON that is sent and received over HTTP: the only modules that know its field names."""
