"""What a client's `mcpServers` file says to reach a running service."""

from __future__ import annotations

from typing import Any


def http_configuration(address: str, key: str) -> dict[str, Any]:
    """For a service at an address like `http://127.0.0.1:8000`; as docs/agents.md shows it."""
    server = {
        "type": "http",
        "url": f"{address}/mcp",
        "headers": {"Authorization": f"Bearer {key}"},
    }
    return {"mcpServers": {"kbops": server}}
