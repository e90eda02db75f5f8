"""Whether the knowledge base answers a topic, decided by topic and never by ticket."""
