"""From a gap to a cited draft, its review and its publication."""
