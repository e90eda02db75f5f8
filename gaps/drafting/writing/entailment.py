"""Whether a quote says what a statement says, by symbols alone; pure.

Embeddings find sentences about one thing and cannot see that one denies it, acts on something else
or names another number (design/algorithms.md §5), so nothing is believed for its cosine. Two
readings: *entailed*, for whoever words a statement anew; *corroborated*, for two people who say the
same in words of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kb.lexical import stem
from kb.quantities import BARE_NUMBER, plain_text, read_number

ENTAILED_SHARE = 0.75
"""Share of a statement's content words its quotes must hold. A writer may turn the mood and link
what is quoted; with a word in four of its own it says something else. Judgement; the planted
falsehoods of tests/gaps/drafting/test_entailment.py all lie on the other side."""
CORROBORATED_SHARE = 0.6
"""Share of the shorter sentence's content words two people must have in common. Judgement, from
pairs of real replies looked at and not counted."""
NAMED_SHARE = 0.4
"""The same where both name the same address, code or button."""
SHORT_WORDS, SHORT_SHARE = 4, 0.75
"""A short sentence changes with each of its words: "settings of the POP account"."""
FEWEST_SHARED = 2
_ACTIONS = {
    "open": "open go navigate launch visit proceed",
    "choose": "click choose select press tap pick hit",
    "enable": "enable activate tick allow permit",
    "verify": "verify check confirm ensure",
    "disable": "disable deactivate untick uncheck",
    "delete": "delete remove erase clear empty purge uninstall unlink",
    "add": "add insert create make",
    "install": "install reinstall download",
    "restart": "restart reboot relaunch",
    "close": "close quit exit",
    "change": "change edit modify adjust set switch configure",
    "enter": "enter type fill write",
    "move": "move drag transfer copy",
    "rebuild": "rebuild reindex recreate",
    "repair": "repair fix",
    "send": "send forward",
    "contact": "contact call ring ask",
    "update": "update upgrade renew",
    "connect": "connect pair link register",
    "disconnect": "disconnect unplug unpair",
    "block": "block deny refuse reject forbid",
    "save": "save keep store",
    "compact": "compact compress",
    "find": "find locate search look",
    "reset": "reset",
    "replace": "replace swap exchange",
    "use": "use run try",
}
_THINGS = {
    "setting": "setting settings configuration config configurations options preferences",
    "mail": "mail mails email emails message messages e-mail e-mails",
    "folder": "folder folders directory directories",
    "computer": "computer computers pc pcs machine machines laptop laptops",
    "image": "image images picture pictures photo photos logo",
    "junk": "junk spam",
    "extension": "addon addons add-on add-ons extension extensions plugin plugins",
    "sign-in": "login logon sign-in signin",
}
"""Names of one thing that support agents use for each other."""
_THING_OF = {name: thing for thing, names in _THINGS.items() for name in names.split()}
_ANY_ACT = frozenset({"open", "choose", "use", "find", "change", "add"})
"""Acts on whatever stands beside them: shared alone they are no common thing."""
_PARTICLES = re.compile(
    r"\b(?P<verb>turn|turned|switch|switched|set|toggle|toggled)\b(?P<between>[^.,;]{0,40}?)"
    r"\b(?P<way>on|off)\b",
    re.IGNORECASE,
)
_PLAIN = frozenset(
    "a about after again all also always an and any are as at be because been before being both but"
    " by can could did do does done down each either else ever every for from get got had has have"
    " having he her here him his how i if in into is it its just let like may me might more most"
    " much must my new no nor not now of off on once only onto or other our out over own per please"
    " possible put quite rather same see she should simply since so some still such than that the"
    " their them then there these they thing this those through to too under until up upon us very"
    " via want was way we well were what when where whether which while who whole why will with"
    " within without would yes yet you your yourself button option menu tab page window box"
    " screen icon item field section panel first next finally step need able actually maybe"
    " probably".split()
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_DENIAL = re.compile(
    r"\b(?:not|never|no longer|no|none|nobody|nothing|neither|nor|cannot|without|instead of|avoid"
    r"|rather than|except|unless|stop|refrain from)\b|n['’]t\b",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[.,;:!?()–—]|\b(?:but|and|then|or|because|so|if|when)\b", re.IGNORECASE)
_LEAST = re.compile(r"\b(?:at least|more than|over|above|minimum|no less than|from)\s+\d", re.I)
_MOST = re.compile(
    r"\b(?:at most|less than|under|below|up to|maximum|no more than|within)\s+\d", re.I
)
_NAMES = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+\w|\bhttps?://[^\s)>\]]+[^\s)>\].,;:]|\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b"
    r"(?:/[\w/.-]*\w)?|\b[A-Z]{1,6}-?\d{1,6}\b|%[A-Z]+%|\b\w+\.\w+\.\w[\w.-]*"
)
_LABELS = re.compile(r"[\"“«]([^\"”»]{3,40}?)[.,]?[\"”»]")
_PROPER = re.compile(r"(?<![.!?:\"“'‘]\s)(?<!^)\b[A-ZÀ-Þ][\w'’-]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence says, in a form that can be compared."""

    words: frozenset[str]
    """Stems of content words; an action's class stands for its verb."""
    actions: frozenset[str]
    head: str | None
    """The first action."""
    denied: frozenset[str]
    """Words that stand under a denial and nowhere else in the sentence."""
    numbers: frozenset[float]
    names: frozenset[str]
    """Addresses, codes and file names, lower case."""
    labels: frozenset[str]
    """What stands in quotation marks, lower case: buttons, messages, options."""
    bounds: tuple[bool, bool]
    """Whether a lower and an upper bound is stated."""


@lru_cache(maxsize=20_000)
def read_sentence(text: str) -> Reading:
    """Read a sentence once; the same text gives the same reading."""
    text = plain_text(text)
    denied_spans = [(m.start(), _end_of_clause(text, m.end())) for m in _DENIAL.finditer(text)]
    said: set[str] = set()
    denied: set[str] = set()
    actions: dict[int, str] = {}
    skipped: list[tuple[int, int]] = []
    for match in _PARTICLES.finditer(text):
        switched = "enable" if match.group("way").lower() == "on" else "disable"
        actions[match.start()] = switched
        _file(switched, match.start(), denied_spans, said, denied)
        skipped += [match.span("verb"), match.span("way")]
    for match in _WORD.finditer(text):
        word = match.group().lower().replace("’", "'")
        if (
            match.span() in skipped
            or word in _PLAIN
            or len(word) < 2
            or BARE_NUMBER.fullmatch(word)
        ):
            continue
        thing = _THING_OF.get(word)
        key = thing or stem(word.removesuffix("'s"))
        action = _ACTION_OF.get(key) if thing is None else None
        if action is not None:
            actions[match.start()] = action
        _file(action or key, match.start(), denied_spans, said, denied)
    return Reading(
        words=frozenset(said | denied),
        actions=frozenset(actions.values()),
        head=_head(actions, text),
        denied=frozenset(denied - said),
        numbers=frozenset(read_number(m) for m in BARE_NUMBER.findall(text)),
        names=frozenset(m.lower().rstrip("/.") for m in _NAMES.findall(text)),
        labels=frozenset(m.lower() for m in _LABELS.findall(text)),
        bounds=(bool(_LEAST.search(text)), bool(_MOST.search(text))),
    )


def _head(actions: Mapping[int, str], text: str) -> str | None:
    """What is to be done first; "try rebuilding" is rebuilding."""
    order = sorted(actions)
    if len(order) > 1 and re.match(r"try\b", text[order[0] :], re.IGNORECASE):
        return actions[order[1]]
    return actions[order[0]] if order else None


def _file(
    word: str, place: int, spans: Sequence[tuple[int, int]], said: set[str], denied: set[str]
) -> None:
    inside = any(start <= place < end for start, end in spans)
    (denied if inside else said).add(word)


def _end_of_clause(text: str, start: int) -> int:
    end = _CLAUSE_END.search(text, start)
    return end.start() if end else len(text)


_ACTION_OF = {
    stem(verb): action for action, verbs in _ACTIONS.items() for verb in verbs.split()
} | {
    stem(form): action
    for form, action in {
        "went": "open", "chose": "choose", "chosen": "choose", "rebuilt": "rebuild",
        "rebuilding": "rebuild", "sent": "send", "wrote": "enter", "kept": "save",
        "found": "find", "made": "add", "ran": "use", "opened": "open",
    }.items()
}  # fmt: skip


def find_unsupported(text: str, quotes: Sequence[str]) -> str | None:
    """Why the quotes together do not entail a statement; None where they do.

    What is held against it, the gravest first: a number, a name or an address no quote has; a word
    denied on one side and said on the other; an action no quote names; too many words of its own.
    """
    claim = read_sentence(text)
    read = [read_sentence(quote) for quote in quotes if quote.strip()]
    if not read:
        return "no evidence is cited"
    numbers = claim.numbers - frozenset().union(*(r.numbers for r in read))
    if numbers:
        return f"the number {min(numbers):g} is in no quote"
    names = claim.names - frozenset().union(*(r.names for r in read))
    if names:
        return f"{min(names)} is in no quote"
    together = " ".join(plain_text(quote) for quote in quotes).lower()
    proper = [n for n in _PROPER.findall(plain_text(text)) if n.lower() not in together]
    if proper:
        return f"the name {proper[0]} is in no quote"
    nearest = max(read, key=lambda r: (len(r.words & claim.words), -len(r.words)))
    flipped = find_flipped(claim, nearest)
    if flipped:
        return f"“{flipped}” is denied on one side only"
    if claim.bounds != (False, False) and not any(r.bounds == claim.bounds for r in read):
        return "a bound is stated otherwise"
    if not claim.actions <= frozenset().union(*(r.words for r in read)):
        missing = min(claim.actions - frozenset().union(*(r.words for r in read)))
        return f"no quote says to {missing}"
    held = frozenset().union(*(r.words for r in read))
    if not claim.words:
        return "it states nothing"
    share = len(claim.words & held) / len(claim.words)
    if share < ENTAILED_SHARE:
        return f"only {share:.0%} of its words are in the quotes"
    return None


def find_flipped(left: Reading, right: Reading) -> str | None:
    """A word both have, denied in one and said in the other; None where there is none."""
    shared = left.words & right.words
    flipped = sorted((left.denied & shared) ^ (right.denied & shared))
    return flipped[0] if flipped else None


def is_corroborated_by(
    claim: Reading, other: Reading, *, plain: frozenset[str], within: float = 0.0
) -> bool:
    """Whether another sentence says the same: the same act on the same thing.

    Args:
        claim: What is to be stated.
        other: What somebody else wrote.
        plain: Words of the whole subject ("thunderbird", "mail"): shared, they show nothing.
        within: Share of the other sentence's words that the two must have in common. A person may
            tell a step in passing; a fact, or a passage about many things, has to be about it.
    """
    shared = (claim.words & other.words) - plain
    if len(shared) < FEWEST_SHARED or not shared - _ANY_ACT or find_flipped(claim, other):
        return False
    common = len(claim.words & other.words)
    if claim.names & other.names or claim.labels & other.labels:
        # The same address, code or button: what is done with it needs fewer words to be the same.
        return common >= NAMED_SHARE * len(claim.words) and common >= within * len(other.words)
    if claim.head is not None and claim.head not in (
        other.actions if claim.head not in claim.denied else other.actions | claim.actions
    ):
        return False
    if claim.numbers and other.numbers and not claim.numbers & other.numbers:
        return False
    if claim.names and other.names and not claim.names & other.names:
        return False
    share = CORROBORATED_SHARE if len(claim.words) > SHORT_WORDS else SHORT_SHARE
    return common >= share * len(claim.words) and common >= within * len(other.words)
