"""What values in kb.toml can be, and how a wrong one is told."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
)

from api.cron import normalise_cron


def _check_cron(line: str) -> str:
    try:
        normalise_cron(line)
    except ValueError as error:
        raise ValueError(f"not a cron line: {error}") from None
    return line


Cron = Annotated[str, AfterValidator(_check_cron)]
Number = Annotated[int, Strict()]
"""Not true or false, which would count as 1 and 0."""
HostName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?$")]
AllowedHost = Annotated[
    str, Field(pattern=r"^([a-z0-9]([a-z0-9._-]{0,252}[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$")
]
"""A host that may be inside, at its usual ports or the one named."""
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$")]
ActionDial = Literal["autonomous", "human_approved", "forbidden"]


def _check_branch(name: str) -> str:
    """Plainer than what git allows, and nothing that it could take for an option."""
    plain = name.replace("{draft}", "d")
    parts = plain.split("/")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}", plain) or any(
        part == "" or part.startswith(".") or part.endswith((".", ".lock")) or ".." in part
        for part in parts
    ):
        raise ValueError("not a plain branch name")
    return name


Branch = Annotated[str, AfterValidator(_check_branch)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mistake(ValueError):
    """A wrong value with the place it stands at."""

    def __init__(self, place: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.place = place


def expect_known(
    place: tuple[str | int, ...], what: str, value: str, known: tuple[str, ...] | list[str]
) -> None:
    if value not in known:
        raise Mistake(place, f"unknown {what} {value!r} (expected one of: {', '.join(known)})")
