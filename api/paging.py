"""Pages of lists: a limit and an offset in, the rows and the next offset out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query


@dataclass(frozen=True, slots=True)
class PageRequest:
    limit: int
    offset: int


def _read_page(
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> PageRequest:
    return PageRequest(limit, offset)


Page = Annotated[PageRequest, Depends(_read_page)]


def page_json(rows: Sequence[Any], page: PageRequest) -> dict[str, Any]:
    """The page's rows; one row more than the limit says that there is another page."""
    more = len(rows) > page.limit
    return {
        "items": list(rows[: page.limit]),
        "next_offset": page.offset + page.limit if more else None,
    }
