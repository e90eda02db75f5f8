"""The Model Context Protocol: agents ask, over HTTP at `/mcp` or on stdio, with tools they know."""
