"""People: who may sign in, as whom, and until when; SQL with an audit entry for every change."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from api.keys import Caller
from kb import audit
from kb.errors import ConflictError, InvalidInputError, NotFoundError, UnauthenticatedError
from kb.tables import people, sessions
from kb.types import Audience, Role

SETUP_LIFE = timedelta(hours=48)
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
"""Without @, so that no name given here can be the e-mail address of somebody else."""


@dataclass(frozen=True, slots=True)
class Person:
    person_id: str
    name: str
    role: Role
    owner: str | None
    password_hash: str | None
    disabled: bool
    is_federated: bool
    """Signs in at the OpenID provider."""


def normalise_name(name: str) -> str:
    return name.strip().casefold()


def add_person(
    connection: Connection,
    name: str,
    *,
    role: Role,
    owner: str | None,
    now: datetime,
    actor: str,
    password_hash: str | None = None,
) -> str:
    """Let somebody in; returns the person's id.

    Raises:
        InvalidInputError: The name is not one, or role and owner do not go together.
        ConflictError: The name is taken.
    """
    handle = normalise_name(name)
    if not NAME.fullmatch(handle):
        raise InvalidInputError(
            f"{name!r} is no name: small letters, digits, dot, dash and underscore", where="name"
        )
    _check_role(role, owner)
    if find_person(connection, handle) is not None:
        raise ConflictError(f"there is a person {handle!r} already", name=handle)
    return _insert(connection, handle, role, owner, now, actor, password_hash=password_hash)


def change_person(
    connection: Connection,
    name: str,
    *,
    role: Role,
    owner: str | None,
    now: datetime,
    actor: str,
) -> None:
    """Give another role or owner; it counts from the next request on."""
    _check_role(role, owner)
    person = read_person(connection, name)
    if (person.role, person.owner) == (role, owner):
        return
    _update(connection, person.person_id, role=role.value, owner=owner)
    _audit(connection, "person.change", person.person_id, now, actor, name=person.name,
           role=role.value, owner=owner, before=[person.role.value, person.owner])  # fmt: skip


def disable_person(connection: Connection, name: str, *, now: datetime, actor: str) -> None:
    """Lock somebody out from the next request on.

    Raises:
        NotFoundError: No such person who may sign in.
    """
    person = read_person(connection, name)
    if person.disabled:
        raise NotFoundError("person who may sign in", person.name)
    _update(connection, person.person_id, disabled_at=now, setup_hash=None, setup_until=None)
    _end_sessions(connection, person.person_id)
    _audit(connection, "person.disable", person.person_id, now, actor, name=person.name)


def reset_person(connection: Connection, name: str, *, now: datetime, actor: str) -> str:
    """Take password and sign-in at a provider away, let in again, and give a setup token.

    Returns:
        The token for `set_password_by_token`; only its digest is kept.
    """
    person = read_person(connection, name)
    token = secrets.token_urlsafe(32)
    _update(
        connection, person.person_id, password_hash=None, openid_subject=None, disabled_at=None,
        setup_hash=_digest(token), setup_until=now + SETUP_LIFE,
    )  # fmt: skip
    _end_sessions(connection, person.person_id)
    _audit(connection, "person.reset", person.person_id, now, actor, name=person.name)
    return token


def set_password(
    connection: Connection, person_id: str, password_hash: str, *, now: datetime, actor: str
) -> None:
    """Replace a password; whoever is signed in with the old one is signed out."""
    _update(connection, person_id, password_hash=password_hash, setup_hash=None, setup_until=None)
    _end_sessions(connection, person_id)
    _audit(connection, "person.password", person_id, now, actor)


def write_rehash(connection: Connection, person_id: str, before: str, after: str) -> None:
    """The same password kept with today's parameters, unless it was changed meanwhile."""
    connection.execute(
        update(people)
        .where(people.c.id == person_id, people.c.password_hash == before)
        .values(password_hash=after)
    )


def read_by_setup(connection: Connection, token: str, now: datetime) -> Person:
    """Who a setup link is for.

    Raises:
        UnauthenticatedError: It is used, too old or made up; never says which.
    """
    row = connection.execute(
        select(people).where(
            people.c.setup_hash == _digest(token),
            people.c.setup_until > now,
            people.c.disabled_at.is_(None),
        )
    ).first()
    if row is None:
        raise UnauthenticatedError("this link is used or too old; ask for a new one")
    return _to_person(row)


def sign_in_federated(
    connection: Connection,
    *,
    issuer: str,
    subject: str,
    name: str,
    role: Role,
    owner: str | None,
    now: datetime,
) -> Person:
    """The person a provider vouches for, made at the first time; role and owner as it says now.

    Raises:
        UnauthenticatedError: Disabled here, or the name is another person's.
    """
    _check_role(role, owner)
    bound = hashlib.sha256(f"{issuer}\n{subject}".encode()).hexdigest()
    handle = normalise_name(name)
    row = connection.execute(select(people).where(people.c.openid_subject == bound)).first()
    if row is None:
        found = find_person(connection, handle)
        # Somebody reset by an administrator is bound anew; anybody else keeps the name.
        if found is not None and (found.is_federated or found.password_hash or found.disabled):
            raise UnauthenticatedError(f"{handle} is somebody else here")
        if found is None:
            _insert(connection, handle, role, owner, now, "openid", openid_subject=bound)
        else:
            _update(connection, found.person_id, openid_subject=bound)
        row = connection.execute(select(people).where(people.c.openid_subject == bound)).one()
    person = _to_person(row)
    if person.disabled:
        raise UnauthenticatedError(f"{person.name} is disabled")
    change_person(connection, person.name, role=role, owner=owner, now=now, actor="openid")
    return read_person(connection, person.name)


def write_signed_in(connection: Connection, person_id: str, now: datetime) -> None:
    _update(connection, person_id, signed_in_at=now)


def find_person(connection: Connection, name: str) -> Person | None:
    row = connection.execute(select(people).where(people.c.name == normalise_name(name))).first()
    return None if row is None else _to_person(row)


def read_person(connection: Connection, name: str) -> Person:
    """Raises NotFoundError where there is none."""
    person = find_person(connection, name)
    if person is None:
        raise NotFoundError("person", name)
    return person


def read_person_by_id(connection: Connection, person_id: str) -> Person:
    """Raises UnauthenticatedError where there is none."""
    row = connection.execute(select(people).where(people.c.id == person_id)).first()
    if row is None:
        raise UnauthenticatedError("sign in to see this page")
    return _to_person(row)


def read_people(connection: Connection) -> list[dict[str, Any]]:
    """Everybody by name, without anything a password could be guessed from."""
    rows = connection.execute(select(people).order_by(people.c.name))
    return [
        {
            "name": row.name,
            "role": row.role,
            "owner": row.owner,
            "signs_in_with": "openid"
            if row.openid_subject
            else "password"
            if row.password_hash
            else "setup link",
            "created_at": row.created_at,
            "signed_in_at": row.signed_in_at,
            "disabled_at": row.disabled_at,
        }
        for row in rows
    ]


def caller_of(person: Person) -> Caller:
    """What a person may do; read at every request, so that a change counts at once.

    Raises:
        UnauthenticatedError: They are disabled.
    """
    if person.disabled:
        raise UnauthenticatedError("sign in to see this page")
    return Caller(person.person_id, person.role, Audience.INTERNAL, person.owner, person.name)


def _insert(
    connection: Connection, name: str, role: Role, owner: str | None, now: datetime, actor: str,
    **more: Any,
) -> str:  # fmt: skip
    person_id = "per_" + secrets.token_hex(10)
    connection.execute(
        insert(people).values(
            id=person_id, name=name, role=role.value, owner=owner, created_at=now, **more
        )
    )
    _audit(connection, "person.add", person_id, now, actor, name=name, role=role.value, owner=owner)
    return person_id


def _update(connection: Connection, person_id: str, **values: Any) -> None:
    connection.execute(update(people).where(people.c.id == person_id).values(**values))


def _end_sessions(connection: Connection, person_id: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.person_id == person_id))


def _audit(
    connection: Connection, action: str, person_id: str, now: datetime, actor: str, **details: Any
) -> None:
    audit.write_entry(
        connection, at=now, actor=actor, action=action, subject=person_id, details=details
    )


def _check_role(role: Role, owner: str | None) -> None:
    if not role.includes(Role.OWNER):
        raise InvalidInputError("agents are programs: give them a key", where="role")
    if role is Role.OWNER and not owner:
        raise InvalidInputError("a person of role owner needs the owner they act for")


def _to_person(row: Any) -> Person:
    return Person(
        row.id, row.name, Role(row.role), row.owner, row.password_hash,
        row.disabled_at is not None, row.openid_subject is not None,
    )  # fmt: skip


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
