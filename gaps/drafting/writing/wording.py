"""An agent's sentence as an instruction to the reader; pure.

Resolutions tell what was done ("Uninstalled BorderGate 3 and restarted"); an article says what to
do. Only verbs in the lists below are turned round and only words are dropped, never added facts,
so that a statement stays what its quote says.
"""

from __future__ import annotations

import re

_PAST = {
    "added": "add", "adjusted": "adjust", "allowed": "allow", "booked": "book",
    "cancelled": "cancel", "changed": "change", "chose": "choose", "cleaned": "clean",
    "cleared": "clear", "clicked": "click", "closed": "close", "connected": "connect",
    "corrected": "correct", "deleted": "delete", "disabled": "disable",
    "disconnected": "disconnect", "downloaded": "download", "enabled": "enable",
    "enrolled": "enrol", "entered": "enter", "filled": "fill", "fitted": "fit",
    "followed": "follow", "held": "hold", "inserted": "insert", "installed": "install",
    "launched": "launch", "linked": "link", "logged": "log", "lowered": "lower",
    "moved": "move", "opened": "open", "paired": "pair", "picked": "pick", "placed": "place",
    "plugged": "plug", "pressed": "press", "pulled": "pull", "raised": "raise", "ran": "run",
    "rebooted": "reboot", "recalibrated": "recalibrate", "reconnected": "reconnect",
    "registered": "register", "reinstalled": "reinstall", "removed": "remove",
    "renewed": "renew", "replaced": "replace", "reset": "reset", "restarted": "restart",
    "selected": "select", "set": "set", "signed": "sign", "started": "start", "stopped": "stop",
    "swapped": "swap", "switched": "switch", "tapped": "tap", "ticked": "tick",
    "turned": "turn", "typed": "type", "unlinked": "unlink", "uninstalled": "uninstall",
    "unplugged": "unplug", "unticked": "untick", "updated": "update", "upgraded": "upgrade",
    "used": "use", "waited": "wait", "went": "go",
}  # fmt: skip
_BASE = frozenset(_PAST.values()) | frozenset(
    "ask call confirm check mail send take try accept agree answer apply approve attach avoid"
    " back begin bring buy compare configure contact"
    " copy count create cut dial do drag drain drop edit empty ensure expect export extend"
    " fetch find"
    " fix fold forward free get give hand have ignore import increase keep leave let lift list"
    " look loosen lock make measure mention mount name note pack pair park paste pay point pour"
    " print proceed provide push put quit read refresh reduce release repeat report request"
    " return ring save say scan scroll search see separate share show shut sign skip slide stay"
    " submit tell test tighten toggle touch transfer undo unlock use verify view visit warm wipe"
    " write don't never always please".split()
)
_NAME = (
    r"(?:(?:[A-Z][\w'’-]+|[Hh]e|[Ss]he|[Tt]hey|[Tt]he (?:customer|user|colleague|installer))\s+)"
)
_SUBJECT = re.compile(
    rf"^{_NAME}?(?:and\s+)?(?:then\s+)?(?:has\s+|have\s+)?(?P<verb>(?i:{'|'.join(_PAST)}))\b"
)
_LATER_VERB = re.compile(
    rf"(?P<join>(?:,|;|\band|\bthen)\s+(?:and\s+|then\s+|he\s+|she\s+|they\s+)*)"
    rf"(?P<verb>{'|'.join(_PAST)})\b"
)
_LEAD = re.compile(
    r"^(?:(?:please|note:?|so|but|and|also|well|ok(?:ay)?|right|in that case|as a (?:fix|workaround"
    r"|solution)|"
    r"the (?:fix|solution|answer)(?: is| was)?(?: to)?|(?:first(?:ly)?|second(?:ly)?|third(?:ly)?|"
    r"next|then|finally|afterwards|after that|now|lastly|step \d+))(?:\s+of all)?\s*[,:]?\s+)+",
    re.IGNORECASE,
)
_YOU = re.compile(
    r"^you (?:can|could|should|must|may|need to|have to|will need to|simply|just)\s+(?P<rest>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(
    r"^(?P<condition>(?:if|when|once|where|on (?:a |an |the |your )?(?:mac|windows|iphone"
    r"|ipad|android"
    r"|linux|macos|ios)\w*|in (?:the )?[A-Z][\w ]+?|under [A-Z][^,]+?|with [^,]+?|after [^,]+?"
    r"|before [^,]+?|for [^,]+?|at [\w.]+\.\w+)\b[^,]*,?)\s+(?P<rest>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
_ASIDE = re.compile(r"\s*\((?=[^()]*\b(?:took|here|was|were|had|today|yesterday|did)\b)[^()]*\)")
_MENU = re.compile(
    r"^(?:[a-z][\w.-]+\.[a-z]{2,}"
    r"|[\"“*]*[A-Z][\w&'-]*(?:\s(?!to\b)[\w&'-]+){0,2}[\"”*]*)\s*(?:→|->|»)\s*\S"
)
_NOUN_USE = re.compile(
    r"^\w+\s+(?:done|page|pages|shows?|says?|is|was|are|of|link|button|code|screen|window"
    r"|form|worked|has"
    r"|does|names?|remains?|stays?)\b",
    re.IGNORECASE,
)
_OUTCOME = re.compile(
    r"(?:[,;]|\s+and|\.)\s+(?:(?:and|then|after which|so)\s+)*(?:(?:it|that|this|everything"
    r"|all|he|she"
    r"|they|which)\s+(?:now\s+)?(?:works?|worked|is|was|are|were|came|connects?|connected|passed)\b"
    r"|was in\b|worked\b|works\b|solved\b|done\b|fixed\b|connected[.!]?$|connect took\b"
    r"|(?:the )?\S+ (?:came|comes|is|are) back\b)[^.;]*",
)
_NARRATIVE = re.compile(
    r"\b(?:was|were|had|did|came|told|said|asked|called|confirmed|charged|checked|mailed|sent|took"
    r"|tried|got|gave|issued|verified|vouched|went|knew|made"
    r"|worked|solved|found|belonged|belong(?:ed)|kept|stayed|helped|left|turned out)\b"
    r"|\b(?:has|have) been\b"
)
_PAST_ANYWHERE = re.compile(rf"\b(?:{'|'.join(v for v in _PAST if v not in ('set', 'reset'))})\b")
_QUOTED = re.compile(
    r"[\"“«][^\"”»]{1,60}[\"”»]|\*\*[^*]{1,60}\*\*|`[^`]{1,60}`|→\s*[^.,;→]{1,40}|\b[A-Z]\w+ my \w+"
)
_DANGLING = re.compile(r"\s+with (?:it|this|that)(?=\s+(?:at|in|on|under)\b|[.,;]|$)")
"""What it points back to stands in a sentence that is not quoted."""
_ONE_PERSON = re.compile(r"\b(?:he|she|his|her|him|hers|the (?:customer|user|colleague))\b", re.I)
_FIRST_PERSON = re.compile(
    r"\b(?:I|I'm|I've|I'll|I'd|me|[Mm]y|mine|myself)\b(?!\.\w)|\b(?:I|we)['’](?:ve|ll|d|m|re)\b"
    r"|\b[Ww]e (?:have|had|did|will|are|were|called|checked|gave|issued|verified|went|sent"
    r"|reset|put"
    r"|made|took|found|removed|added|changed|renewed|swapped|agreed|refunded|talked|spoke)\b"
)


def says_i(text: str) -> bool:
    """An agent talking of what they themselves do or did."""
    return bool(_FIRST_PERSON.search(_QUOTED.sub("", text)))


def as_instruction(text: str) -> str | None:
    """The sentence as something to do, or None where it tells a story or states a fact.

    Capitalised, ended with a period; told past actions become imperatives, what came of them
    ("works now") and asides about one case are left out.
    """
    said = _LEAD.sub("", _ASIDE.sub("", _OUTCOME.sub("", text.strip()))).strip(" ,;:-–")
    if not said or says_i(said):
        return None
    said = _DANGLING.sub("", _turned(said))
    wish = _YOU.match(said)
    if wish:
        said = wish.group("rest")
    unquoted = _QUOTED.sub("", said)
    if _ONE_PERSON.search(unquoted):
        return None
    if _NARRATIVE.search(unquoted) or _PAST_ANYWHERE.search(unquoted):
        return None
    if _commands(said):
        return finish_sentence(said)
    if _MENU.match(said):
        return finish_sentence(f"Go to {said}")
    return None


def _turned(text: str) -> str:
    """Told actions as imperatives: "Sofie uninstalled X" becomes "uninstall X"."""
    begin = _SUBJECT.match(text)
    if begin is None:
        return text
    if not _is_base(text):
        text = _PAST[begin.group("verb").lower()] + text[begin.end() :]
    return _LATER_VERB.sub(lambda m: m.group("join") + _PAST[m.group("verb")], text)


def _is_base(text: str) -> bool:
    return text.split(maxsplit=1)[0].lower() in ("set", "reset")


def _commands(text: str) -> bool:
    first = re.match(r"[\"“*]*([\w'’]+)", text)
    if first is None:
        return False
    if first.group(1).lower().replace("’", "'") in _BASE:
        return not _NOUN_USE.match(text) and not re.match(r"log (?!in|into|on|out|off)", text, re.I)
    conditional = _CONDITION.match(text)
    return conditional is not None and _commands(conditional.group("rest"))


_PRESENT = re.compile(
    r"\b(?:is|are|means|can|cannot|must|may|have|\w{3,}(?<!s)s)\b(?=\s+(?:\w|[\"“]))"
)


_PRONOUN_START = re.compile(
    r"^(?:(?:if|as|for|with|then),? (?:that|this|so|it|such)|in fact"
    r"|this|that|it|its|they|these|those|he|she|which|who|to|and|but|so|the \w+-\w+ message)\b",
    re.IGNORECASE,
)


def states_fact(text: str) -> bool:
    """A present-tense statement about a thing, neither a story nor about the writer."""
    return (
        not says_i(text)
        and not _NARRATIVE.search(text)
        and not _SUBJECT.match(text)
        and not _PRONOUN_START.match(text)
        and not _commands(_LEAD.sub("", text))
        and bool(_PRESENT.search(text))
        and len(text.split()) >= 5
    )


def finish_sentence(text: str) -> str:
    """Capitalised and closed with a period."""
    text = re.sub(r"\s+", " ", text).strip(" ,;:")
    text = text.rstrip(".") if not text.endswith("...") else text
    if text and text[-1] not in ".!?":
        text += "."
    return text[:1].upper() + text[1:]


_INLINE_NUMBERS = re.compile(r"(?:(?<=\s)|^)\(?\d{1,2}[.)]\s+(?=\S)")
_STEP_JOIN = re.compile(
    rf"(?:;|,)\s+(?:and\s+)?(?:then\s+)?(?=(?:{'|'.join(sorted(_BASE - {'have', 'do', 'see'}))})\b)"
    rf"|,?\s+(?:and\s+)?then\s+(?=(?:{'|'.join(sorted(_BASE))})\b)",
    re.IGNORECASE,
)


def split_inline_numbers(text: str) -> list[str]:
    """ "1. open it 2. press it" as its parts, each a verbatim piece; else the text alone."""
    marks = list(_INLINE_NUMBERS.finditer(text))
    if len(marks) < 2:
        return [text]
    pieces = [text[: marks[0].start()]]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    pieces += [text[mark.end() : end] for mark, end in zip(marks, ends, strict=True)]
    return [piece.strip() for piece in pieces if re.search(r"\w", piece)]


def split_actions(instruction: str) -> list[str]:
    """ "Open A, choose B, then restart." as one sentence an action; each commands by itself."""
    pieces = _STEP_JOIN.split(instruction.rstrip("."))
    last = pieces.pop()
    tail = re.split(
        rf",?\s+and\s+(?=(?:{'|'.join(sorted(_BASE - {'have', 'do', 'see'}))})\b)", last, maxsplit=1
    )
    pieces += tail if len(tail) == 2 and len(tail[0].split()) >= 3 else [last]
    said = [finish_sentence(piece) for piece in pieces if re.search(r"\w{2}", piece)]
    # "In the General panel, go to …" is one step: its first part is no sentence.
    return said if all(_commands(piece) for piece in said) else [finish_sentence(instruction)]
