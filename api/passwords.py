"""Passwords: which are taken, and how they are kept; the only file that knows Argon2.

Rules follow NIST SP 800-63B, 5.1.1.2: a least length, nothing about which characters, but no
password that a guesser tries first.
"""

from __future__ import annotations

import unicodedata
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from kb.errors import InvalidInputError

MIN_CHARACTERS = 12
MAX_CHARACTERS = 1_000
"""More is not safer and only costs the server time."""
MIN_BESIDE_NAME = 8
"""Characters that must be left when the person's name is taken out."""
MIN_DIFFERENT = 5
"""Below five different characters a long password is a pattern."""
AT_ONCE = 2
"""Computations side by side: each takes 64 MiB, so a crowd at the door must queue."""
COMMON = frozenset(
    """password1234 passwordpassword password12345 password123456 123456789012 1234567890123
    12345678901234 qwertyuiop12 qwertyuiop123 qwertyuiopas qwertyuiopasdf 1q2w3e4r5t6y
    iloveyou1234 administrator letmeinletmein welcome12345 welcome123456 changeme1234
    changemechangeme trustno1trustno1 abcdefghijkl abcdefghijklm abcd1234abcd correcthorsebattery
    correcthorsebatterystaple passw0rd1234 p@ssw0rd1234 p@ssword1234 asdfghjkl123 zxcvbnm12345
    football1234 baseball1234 superman1234 princess1234 sunshine1234 1qaz2wsx3edc""".split()
)
"""First guesses that are long enough to pass the length rule."""

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_turns = BoundedSemaphore(AT_ONCE)


def check_password(password: str, name: str) -> None:
    """Take a new password or say why not.

    Raises:
        InvalidInputError: Too short, too long, made of the person's name, or a first guess.
    """
    said = _normalise(password)
    plain, person = said.casefold(), name.casefold().partition("@")[0]
    if len(said) < MIN_CHARACTERS:
        raise InvalidInputError(f"a password needs at least {MIN_CHARACTERS} characters")
    if len(password) > MAX_CHARACTERS:
        raise InvalidInputError(f"a password may have {MAX_CHARACTERS} characters")
    if person and person in plain and len(plain.replace(person, "")) < MIN_BESIDE_NAME:
        raise InvalidInputError("this password is little more than the name")
    if len(set(plain)) < MIN_DIFFERENT:
        raise InvalidInputError("this password repeats a few characters")
    if plain in COMMON:
        raise InvalidInputError("this password is one of those that are tried first")


def find_fault(password: str, again: str, name: str) -> str:
    """What is wrong with a new password, as a sentence; empty where nothing is."""
    if password != again:
        return "The two passwords are not the same."
    try:
        check_password(password, name)
    except InvalidInputError as error:
        return f"{error.reason[:1].upper()}{error.reason[1:]}."
    return ""


def hash_password(password: str) -> str:
    """Argon2id with the first recommended parameters for little memory (RFC 9106, section 4)."""
    with _turns:
        return _hasher.hash(_normalise(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Whether a password is the stored one; as much work where nothing is stored.

    Args:
        stored: What `hash_password` gave; None for an unknown or disabled person.
        password: As typed.
    """
    long = len(password) > MAX_CHARACTERS
    with _turns:
        try:
            _hasher.verify(stored or _DUMMY, "" if long else _normalise(password))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None and not long


def needs_rehash(stored: str) -> bool:
    """Whether it was kept with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def _normalise(password: str) -> str:
    """The same characters however a keyboard composes them."""
    return unicodedata.normalize("NFKC", password)


_DUMMY = f"$argon2id$v=19$m=65536,t=3,p=4$a2JvcHMta2JvcHMta2JvcA${'A' * 43}"
"""A hash that no password has in practice, with today's parameters."""
