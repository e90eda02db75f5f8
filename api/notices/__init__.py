"""Telling people: what is written to the outbox, and the channels it leaves by."""
