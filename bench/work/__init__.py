"""The standard work of a sync server, against this one and, in the same run, against others and the bare stack."""
