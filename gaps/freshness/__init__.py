"""Whether a published version needs work: signals, one probability, and what it would cost."""
