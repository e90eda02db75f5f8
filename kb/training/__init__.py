"""Fits what retrieval learns, and lets it through the gate."""
