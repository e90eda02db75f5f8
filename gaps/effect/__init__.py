"""What a publication did: demand against control topics, and what became of the tickets; pure."""
