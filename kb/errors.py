"""What can go wrong, as facts with a stable code; no HTTP here."""

from __future__ import annotations

from typing import Any


class KbError(Exception):
    """Base of every error a caller is meant to see."""

    code = "error"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class NotFoundError(KbError):
    code = "not_found"

    def __init__(self, kind: str, identifier: str) -> None:
        super().__init__(f"no {kind} {identifier!r}", kind=kind, id=identifier)


class ConflictError(KbError):
    """The stored state does not allow what was asked."""

    code = "conflict"


class StaleError(ConflictError):
    """What the caller decided on has changed since they read it."""

    code = "stale"


class InvalidInputError(KbError):
    """What a caller or file said cannot be taken; names the place."""

    code = "invalid_input"

    def __init__(self, message: str, *, where: str | None = None, **details: Any) -> None:
        super().__init__(f"{where}: {message}" if where else message, where=where, **details)
        self.reason = message


class ForbiddenError(KbError):
    code = "forbidden"


class UnauthenticatedError(KbError):
    code = "unauthenticated"


class UnavailableError(KbError):
    """A part needed to answer is away; `retryable` says whether waiting helps."""

    code = "unavailable"

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message, retryable=retryable)
        self.retryable = retryable


class IndexAwayError(UnavailableError):
    """The vector index cannot be read; words still can."""

    code = "index_away"


class IntegrityError(KbError):
    """Something stored is not what it must be (digest, chain, recipe)."""

    code = "integrity"
