"""Secrets in free text: keys, tokens, passwords; pure, and linear in the text's length."""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}-----")


def find_key_blocks(text: str) -> Iterator[Span]:
    position = 0
    while match := _KEY_BLOCK.search(text, position):
        end = _KEY_END.search(text, match.end())
        position = end.end() if end else len(text)
        yield match.start(), position


KNOWN_TOKENS = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?"
    r"|(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|proj-|ant-)?[A-Za-z0-9_-]{16,}"
    r"|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|AIza[\w-]{30,}|ya29\.[\w-]{20,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{20,}"
    r")"
)
_BEARER = re.compile(r"\b(?:bearer|basic)[ \t]{1,4}([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_NAMED_SECRET = re.compile(
    r"(?<![^\W_])(?P<name>pass ?words?|passwd|pwd|passcode|pass ?phrase|passwort|wachtwoord|"
    r"mot de passe|palavra-passe|senha|contraseña|(?:client[ _-]?)?secret|"
    r"(?:(?:api|access|auth|secret|private|refresh|session)[ _-]?){0,2}(?:api ?key|token)|"
    r"(?:api|access|secret)[ _-]?key|pin(?:[ -]?code)?)"
    r"(?P<link>\s{0,3}[:=]\s{0,3}|\"\s{0,3}:\s{0,3}|\s(?:is|was|est|é|ist)(?:\s?:)?\s)"
    r"[\"'`]?(?P<value>[^\s\"'`<>\[\](){},;]{3,200})",
    re.IGNORECASE,
)
_ORDINARY = frozenset(
    """a about after again also always an and any are as asked at be because been before both but
    by can cannot change changed confirm correct does done each error every expired expires
    field fine for forgot forgotten from good gone has have here how i i'm if in incorrect
    invalid is it its just known link lost manager minimum missing more must my needed never new
    no none not now of ok old on only or our out page please policy protected refused rejected
    required requirements reset rules same screen see sent set should still that the them there
    they this to too unknown valid very via was we weak what when where which why will with
    won't working wrong you your asks nothing stuck unchanged accepted denied""".split()
)


def find_bearers(text: str) -> Iterator[Span]:
    for match in _BEARER.finditer(text):
        if re.search(r"\d", match.group(1)):
            yield match.span(1)


def find_named_secrets(text: str) -> Iterator[Span]:
    for match in _NAMED_SECRET.finditer(text):
        value = match.group("value").rstrip(".?:")
        if len(value) >= 3 and _is_secret(match.group("name"), match.group("link"), value):
            yield match.start("value"), match.start("value") + len(value)


def _is_secret(name: str, link: str, value: str) -> bool:
    if name.lower().startswith("pin"):
        return bool(re.fullmatch(r"[0-9]{4,8}", value))
    if value.lower().rstrip(".,!?") in _ORDINARY or not re.search(r"\w", value):
        return False
    stated = ":" in link or "=" in link
    # "the password is working" tells nothing away; "is Winter2026!" does.
    return stated or bool(re.search(r"\d|\w[^\w\s'’-]\w|[!$%&*#@]\Z", value))


_LONG_HEX = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{32,}(?![0-9A-Za-z])")
_LONG_TOKEN = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{24,}={0,2}")
_SHORTEST_RANDOM_PIECE = 20


def find_random_strings(text: str) -> Iterator[Span]:
    for match in _LONG_HEX.finditer(text):
        if re.search(r"[a-fA-F]", match.group()) and re.search(r"\d", match.group()):
            yield match.span()


def find_base64(text: str) -> Iterator[Span]:
    for match in _LONG_TOKEN.finditer(text):
        # A long path or slug is words between separators; a secret has one long mixed piece.
        if any(_looks_random(piece) for piece in re.split(r"[-_/+=]", match.group())):
            yield match.span()


def _looks_random(piece: str) -> bool:
    return (
        len(piece) >= _SHORTEST_RANDOM_PIECE
        and sum(c.isdigit() for c in piece) >= 2
        and sum(c.isupper() for c in piece) >= 2
        and sum(c.islower() for c in piece) >= 2
    )
