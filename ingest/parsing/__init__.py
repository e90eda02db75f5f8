"""From raw bytes of a file to front matter, metadata, and sections; no I/O."""
