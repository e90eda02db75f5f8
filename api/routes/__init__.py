"""HTTP, /v1."""
