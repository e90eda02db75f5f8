"""Tickets' vectors to topics at two levels, for any number of tickets; pure."""
