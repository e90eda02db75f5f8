"""Tickets to gaps to drafts to published change to measured effect."""
