"""Where a retriever's answers come from: a running service, or a knowledge base in this process.

Both give the answer of `POST /v1/search`, ranked for the audience of the key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import httpx
from pydantic import ValidationError

from api.auth import get_caller
from api.routes.search import search
from api.schemas import SearchBody
from api.wiring import Application
from kb.errors import (
    ForbiddenError,
    InvalidInputError,
    KbError,
    UnauthenticatedError,
    UnavailableError,
)
from kb.ports import Clock

TIMEOUT_SECONDS = 30.0


@runtime_checkable
class Connection(Protocol):
    """Asks one knowledge base with one key."""

    def search(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of `POST /v1/search` to its body.

        Raises:
            UnauthenticatedError: The key is not valid, or no longer.
            InvalidInputError: The body is malformed.
            UnavailableError: No answer can be had now.
        """

    async def asearch(self, body: Mapping[str, Any]) -> dict[str, Any]: ...


class HttpConnection:
    """A running service; redirects are not followed, so the key goes nowhere else."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Take where it is.

        Args:
            url: Of the service, as `http://127.0.0.1:8000`.
            key: An agent's key.
            timeout_seconds: Of connecting, and of every wait for more.
        """
        self._address = url.rstrip("/") + "/v1/search"
        self._options: dict[str, Any] = {
            "headers": {"Authorization": f"Bearer {key}"},
            "timeout": timeout_seconds,
            "verify": httpx.create_ssl_context(),
        }

    def search(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            with httpx.Client(**self._options) as client:
                return self._read(client.post(self._address, json=dict(body)))
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    async def asearch(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(**self._options) as client:
                return self._read(await client.post(self._address, json=dict(body)))
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        try:
            said = response.json()
        except ValueError:
            said = None
        if response.status_code == 200 and isinstance(said, dict) and "hits" in said:
            return said
        raise _to_error(self._address, response.status_code, said)

    def _unreachable(self, error: httpx.HTTPError) -> UnavailableError:
        return UnavailableError(f"{self._address} cannot be reached: {error}")


class LocalConnection:
    """A knowledge base of this machine; the key is looked up at every call, as over HTTP."""

    def __init__(self, application: Application, key: str) -> None:
        self._application = application
        self._said = f"Bearer {key}"

    @classmethod
    def open(cls, config: Path | str, key: str, clock: Clock | None = None) -> LocalConnection:
        """By the path of its kb.toml.

        Raises:
            InvalidInputError: There is no kb.toml, or it is wrong.
            UnauthenticatedError: The key is not valid to begin with.
        """
        connection = cls(Application.open(Path(config), clock), key)
        get_caller(connection._application, connection._said)
        return connection

    def search(self, body: Mapping[str, Any]) -> dict[str, Any]:
        caller = get_caller(self._application, self._said)
        try:
            asked = SearchBody.model_validate(dict(body))
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise InvalidInputError(fault["msg"], where=where) from error
        return search(asked, self._application, caller)

    async def asearch(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(self.search, body)

    def close(self) -> None:
        self._application.close()


def connect(
    *,
    key: str,
    url: str | None = None,
    config: Path | str | None = None,
) -> HttpConnection | LocalConnection:
    """Over HTTP where an address is given, in this process where a kb.toml is.

    Raises:
        InvalidInputError: Neither or both are given.
    """
    if url is not None and config is None:
        return HttpConnection(url, key)
    if config is not None and url is None:
        return LocalConnection.open(config, key)
    raise InvalidInputError("give either the url of a running service or the config (kb.toml)")


def _to_error(address: str, status: int, said: Any) -> KbError:
    told = said.get("error") if isinstance(said, dict) else None
    message = str(told.get("message", "")) if isinstance(told, dict) else ""
    if status == 401:
        return UnauthenticatedError(message or "not a valid key")
    if status == 403:
        return ForbiddenError(message or "forbidden")
    if status in (400, 422):
        return InvalidInputError(message or "malformed")
    return UnavailableError(
        f"{address} answered {status}{': ' + message if message else ''}",
        retryable=status == 429 or status >= 500,
    )
