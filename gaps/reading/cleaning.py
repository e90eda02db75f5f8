"""A mail to what its writer says: quotes, signature, greeting and logs apart; pure.

By lines and in linear time, whatever is sent: libraries for it (mail-parser-reply 1.36) take
minutes on a hostile line of 90 kB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gaps.types import Ticket

LONGEST_TEXT = 8_000
"""Characters of a ticket that are read: the encoder reads some 6,000 at most."""
LONGEST_LINE = 400
SIGNATURE_LINES = 8
"""A sign-off is looked for in so many last lines, so that "thanks" in the middle cuts nothing."""
GREETING_WORDS = 5
FEWEST_LOG_LINES = 2
MOST_TRACES, LONGEST_TRACE, MOST_CODES = 5, 1_000, 10

_QUOTE_HEADS = (
    ("on ", "wrote:"), ("am ", "schrieb:"), ("le ", "écrit :"), ("le ", "écrit:"),
    ("op ", "schreef:"), ("el ", "escribió:"), ("il ", "scritto:"), ("em ", "escreveu:"),
    ("w dniu ", "pisze:"), ("w dniu ", "napisał(a):"),
)  # fmt: skip
_AM_SCHRIEB = ("am ", " schrieb ")
_ORIGINAL = (
    "original message", "forwarded message", "ursprüngliche nachricht", "message d'origine",
    "oorspronkelijk bericht", "mensaje original", "messaggio originale",
)  # fmt: skip
_HEADER_KEYS = ("from:", "von:", "de:", "van:", "da:")
_HEADER_NEXT = (
    "sent:",
    "date:",
    "to:",
    "gesendet:",
    "datum:",
    "an:",
    "envoyé:",
    "envoyé :",
    "aan:",
)
_SIGN_OFFS = (
    "kind regards", "best regards", "warm regards", "regards", "best wishes", "best,", "cheers",
    "thanks", "thank you", "many thanks", "thanks in advance", "thx", "sincerely",
    "yours sincerely", "yours faithfully", "mit freundlichen grüßen", "viele grüße",
    "beste grüße", "danke", "mfg", "lg", "cordialement", "merci", "bien à vous",
    "met vriendelijke groet", "groeten", "alvast bedankt", "bedankt", "saludos", "gracias",
    "un saludo", "cordiali saluti", "grazie", "pozdrawiam", "obrigado", "atenciosamente",
)  # fmt: skip
_SENT_FROM = ("sent from my ", "gesendet von ", "envoyé de mon ", "verzonden vanaf ", "get outlook")
_GREETINGS = frozenset(
    "hi hello hey dear good hallo guten moin bonjour salut hola buenos buenas ciao buongiorno "
    "beste geachte goedendag dag cześć olá team greetings".split()
)
_AUTOMATIC = (
    "automatic reply", "auto reply", "auto-reply", "autoreply", "out of office",
    "out of the office",
    "undeliverable", "undelivered mail", "mail delivery failed", "delivery status notification",
    "automatische antwort", "abwesenheitsnotiz", "réponse automatique", "absence du bureau",
    "automatisch antwoord", "afwezig", "respuesta automática", "fuera de la oficina",
    "risposta automatica", "resposta automática", "autoodpowiedź",
)  # fmt: skip
_SUBJECT_PREFIX = re.compile(
    r"^(?:\s*(?:re|fw|fwd|aw|wg|tr|antw|sv|rif)\s*:|\s*\[[^\]\[]{1,40}\])+\s*", re.I
)
_LOG_LINE = re.compile(
    r"^\s*(?:"
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\[?\d\d:\d\d:\d\d[.,]?\d*\]?\s"
    r"|at [\w$.<>]+\(|File \"[^\"]{1,200}\", line \d|Traceback \(most recent"
    r"|Caused by: |\.\.\. \d+ more|#\d+\s+0x|0x[0-9a-fA-F]{6,}|\[?(?:ERROR|WARN|INFO|DEBUG)\]?[ :]"
    r"|(?:[0-9a-fA-F]{2} ){8,})"
)
_EXCEPTION = re.compile(r"^\s*[\w.]{2,80}(?:Error|Exception|Fault)\b[: ]")
_CODE = re.compile(
    r"\b(?:0x[0-9A-Fa-f]{4,16}|[A-Z]{1,8}[-_]\d{1,6}|[A-Z]{1,4}\d{2,5}"
    r"|(?i:error|code|fehler|erreur)\s{0,3}[:#]?\s{0,3}\d{2,6})\b"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A ticket's parts."""

    subject: str
    text: str
    traces: tuple[str, ...]
    """Runs of log lines and stack traces."""
    codes: tuple[str, ...]
    """Error codes of all parts, in the order they stand, each once."""


def clean_ticket(ticket: Ticket) -> Ticket:
    """The ticket with what its requester says as its text, and its error code where it says one."""
    cleaned = clean_text(ticket.subject, ticket.body)
    return replace(
        ticket,
        subject=cleaned.subject,
        body=cleaned.text,
        error_code=ticket.error_code or (cleaned.codes[0] if cleaned.codes else None),
    )


def is_automatic(ticket: Ticket) -> bool:
    """Whether a mailbox answered and nobody asks: an absence, or a mail that came back."""
    return _SUBJECT_PREFIX.sub("", ticket.subject).strip().lower().startswith(_AUTOMATIC)


def clean_text(subject: str, body: str) -> Cleaned:
    """Take a mail apart.

    Nothing is made up, lines keep their order. A mail of which nothing would be left keeps its
    first lines.
    """
    lines = [line.rstrip()[:LONGEST_LINE] for line in _printable(body).split("\n")]
    said = _without_signature(_without_quotes(lines))
    said = _without_greeting(said)
    said, traces = _without_logs(said)
    text = "\n".join(said).strip()
    if not any(character.isalnum() for character in text):
        text = "\n".join(lines).strip()
    text = re.sub(r"\n{3,}", "\n\n", text)[:LONGEST_TEXT]
    title = _SUBJECT_PREFIX.sub("", _printable(subject)[:LONGEST_LINE]).strip()
    codes = dict.fromkeys(
        " ".join(match.group().split())
        for part in (title, text, *traces)
        for match in _CODE.finditer(part)
    )
    return Cleaned(title, text, traces, tuple(codes)[:MOST_CODES])


def _printable(text: str) -> str:
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _without_quotes(lines: list[str]) -> list[str]:
    """What stands before the first mail that is answered, without lines marked as quoted."""
    kept: list[str] = []
    for place, line in enumerate(lines):
        if kept and _begins_quote(line, lines[place + 1 : place + 4]):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line)
    return kept


def _begins_quote(line: str, following: list[str]) -> bool:
    low = line.strip().lower()
    if any(low.startswith(begin) and low.endswith(end) for begin, end in _QUOTE_HEADS):
        return True
    if low.startswith(_AM_SCHRIEB[0]) and _AM_SCHRIEB[1] in low and low.endswith(":"):
        return True
    if low.strip("-_ *") in _ORIGINAL:
        return True
    if not low.startswith(_HEADER_KEYS):
        return False
    return any(after.strip().lower().startswith(_HEADER_NEXT) for after in following)


def _without_signature(lines: list[str]) -> list[str]:
    for place, line in enumerate(lines):
        if line.strip() == "--" and place:
            lines = lines[:place]
            break
    filled = [place for place, line in enumerate(lines) if line.strip()]
    for place in filled[-SIGNATURE_LINES:]:
        low = lines[place].strip().lower()
        if low.startswith(_SENT_FROM) or (place != filled[0] and _is_sign_off(low)):
            return lines[:place]
    return lines


def _is_sign_off(low: str) -> bool:
    """Whether a line is nothing but a closing formula, with at most a name after it."""
    found = next((formula for formula in _SIGN_OFFS if low.startswith(formula)), None)
    if found is None:
        return False
    rest = low[len(found) :].strip(" ,.!;:-–—)")
    return len(rest.split()) <= 2


def _without_greeting(lines: list[str]) -> list[str]:
    first = next((place for place, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return lines
    line = lines[first].strip()
    head, comma, rest = line.partition(",")
    words = re.findall(r"[^\W\d_]+", head.lower())
    if not words or words[0] not in _GREETINGS or len(words) > GREETING_WORDS:
        return lines
    if comma:
        return [*lines[:first], rest.strip(), *lines[first + 1 :]]
    return [*lines[:first], *lines[first + 1 :]] if line[-1] in "!.:" or len(words) <= 3 else lines


def _without_logs(lines: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Runs of log lines taken out; the message of an exception stays, it says what happened."""
    kept: list[str] = []
    traces: list[str] = []
    run: list[str] = []
    fenced = False
    for line in [*lines, ""]:
        fence = line.strip().startswith("```")
        if fence:
            fenced = not fenced
        if fence or fenced or _LOG_LINE.match(line) or _is_blob(line):
            run.append(line)
            continue
        if len(run) >= FEWEST_LOG_LINES:
            traces.append("\n".join(run)[:LONGEST_TRACE])
        else:
            kept += run
        run = []
        kept.append(line)
    if run and fenced:
        kept += [line for line in run if not line.strip().startswith("```")]
    told = [
        line.strip() for trace in traces for line in trace.split("\n") if _EXCEPTION.match(line)
    ]
    return [*kept, *dict.fromkeys(told)], tuple(traces[:MOST_TRACES])


def _is_blob(line: str) -> bool:
    """Whether a long line has hardly any spaces, as encoded data has."""
    return len(line) > 100 and line.count(" ") < len(line) / 60
