"""Tickets to topics to gaps."""
