"""Sources to versions to the index."""
