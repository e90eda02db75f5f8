"""Who is calling: bearer keys for programs, sessions for people; and what their role allows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Header, Request

from api.keys import USE_RESOLUTION_SECONDS, Caller, read_caller, write_last_used
from api.wiring import Application
from kb.errors import ForbiddenError, UnauthenticatedError, UnavailableError
from kb.types import Audience, Role

_last_written: dict[str, float] = {}


def get_application(request: Request) -> Application:
    application: Application = request.app.state.application
    return application


Kb = Annotated[Application, Depends(get_application)]


def get_caller(
    kb: Kb, authorization: Annotated[str | None, Header(include_in_schema=False)] = None
) -> Caller:
    """The caller a bearer key proves; looked up at every request, so a revoked key ends at once.

    Raises:
        UnauthenticatedError: No key, or not a valid one.
    """
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise UnauthenticatedError("send a key: 'Authorization: Bearer kb_…'")
    now = kb.clock.now()
    with kb.database.read() as connection:
        caller = read_caller(connection, key.strip(), now)
    last = _last_written.get(caller.key_id, 0.0)
    if now.timestamp() - last >= USE_RESOLUTION_SECONDS:
        _last_written[caller.key_id] = now.timestamp()
        # When a key was last used is worth no waiting for another writer.
        with suppress(UnavailableError), kb.database.write(patience_ms=0) as connection:
            write_last_used(connection, caller.key_id, now)
    return caller


AnyCaller = Annotated[Caller, Depends(get_caller)]


def require(role: Role, *, internal: bool = False) -> Callable[[Caller], Caller]:
    """A dependency that lets through callers of at least this role.

    Args:
        role: The least role.
        internal: Whether the route shows what only the internal audience may see.
    """

    def check(caller: AnyCaller) -> Caller:
        if not caller.role.includes(role):
            raise ForbiddenError(f"needs role {role.value}, this key has {caller.role.value}")
        if internal and caller.audience is not Audience.INTERNAL:
            raise ForbiddenError("needs the internal audience")
        return caller

    return check


AgentCaller = Annotated[Caller, Depends(require(Role.AGENT))]
OwnerCaller = Annotated[Caller, Depends(require(Role.OWNER, internal=True))]
EditorCaller = Annotated[Caller, Depends(require(Role.EDITOR, internal=True))]
AdminCaller = Annotated[Caller, Depends(require(Role.ADMIN, internal=True))]
