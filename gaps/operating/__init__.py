"""What a publication did, what grew old, what disagrees, and the weekly drive."""
