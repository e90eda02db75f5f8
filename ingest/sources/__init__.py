"""Connectors: one file a kind of source, one contract (`port`)."""
