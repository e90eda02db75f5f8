"""A small knowledge base to ask through every adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kb.types import Audience
from tests.api.factories import make_key, write_article, write_installation
from tests.api.serving import Served

QUESTION = "How do I reset the router?"
NONSENSE = "zebra quantum pancake"


def write_knowledge(folder: Path) -> Path:
    """Five public documents and two internal ones; returns the path of kb.toml."""
    config = write_installation(folder)
    write_article(
        folder / "articles" / "vpn.md", "Reset the router before the VPN client.", title="VPN client",
        labels="[vpn, network]", last_verified_at="2026-11-01", url="https://help.example.org/vpn",
        action_class="customer_confirmed",
    )  # fmt: skip
    write_article(
        folder / "articles" / "old.md", "An old way to reset a router.", title="Old router",
        labels="[network]", last_verified_at="2025-01-01",
    )  # fmt: skip
    write_article(
        folder / "policies" / "routers.md", "Only staff reset the router of an office.",
        title="Office routers", labels="[network]", last_verified_at="2026-10-01",
    )  # fmt: skip
    return config


def agent_key(served: Served, audience: Audience = Audience.PUBLIC) -> str:
    return make_key(served.application, audience=audience)


def rest_answer(served: Served, key: str, query: str = QUESTION, **body: Any) -> dict[str, Any]:
    answer = served.post("/v1/search", key, json={"query": query, **body})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def rest_ids(served: Served, key: str, query: str = QUESTION, **body: Any) -> list[str]:
    return [hit["document_id"] for hit in rest_answer(served, key, query, **body)["hits"]]
