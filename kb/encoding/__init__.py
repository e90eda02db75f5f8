"""Texts to vectors: the embedded MiniLM, any model a user's machine holds, or hashed words."""
