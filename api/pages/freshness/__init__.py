"""The freshness pages: the queue, and one article's history."""
