"""A query to ranked passages with verdicts."""
