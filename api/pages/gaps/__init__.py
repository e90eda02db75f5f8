"""Pages on gaps: the ranked list, one gap, and the map of topics."""
