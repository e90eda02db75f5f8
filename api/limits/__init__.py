"""How much the service takes on at once, and from whom."""
