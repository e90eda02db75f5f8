"""What answering a topic would save, and which gaps to answer first."""
