"""What was learned from solved questions: kept, and read by searches."""
