"""Topics over weeks: who they were, what became of them, what people said about them."""
