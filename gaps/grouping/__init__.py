"""Which tickets belong together, by what was asked and by what solved it."""
