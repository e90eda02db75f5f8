"""What retrieval learns from solved tickets, outcomes and questions: fitted, gated, served."""
