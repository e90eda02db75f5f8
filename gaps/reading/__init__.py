"""Tickets as they are read for finding: what the requester says, without what surrounds it."""
