"""What is written, and of what: evidence to article, article to smallest edit."""
