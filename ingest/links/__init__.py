"""Where articles point, and whether anything is there."""
