"""The edge: command line, HTTP, pages, schedule."""
