"""Text that must never get from a ticket into an article; pure.

Two groups. *Hidden or active*: what a reader does not see or a program would run. *Instructing*:
text addressed to the program or agent that reads it, and requests for secrets or money that no
article of ours makes. The list is short on purpose: it is the second gate, behind corroboration
by independent requesters and a person's approval, and its false alarms cost true sentences.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostileFinding:
    """One reason why a text is kept out."""

    rule: str
    excerpt: str


_HIDDEN_CHARACTERS = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]|[\ufe00-\ufe0f]{2,}"
)
_MODEL = r"(?:ai|a\.i\.|llm|model|assistant|chat\s?bot|bot|language model|gpt|copilot)"
_EARLIER = r"(?:previous|prior|above|earlier|preceding|former|all|any|your|the|these|system)"
_ORDERS = r"(?:instructions?|prompts?|rules?|guidelines?|directives?|guardrails?|polic(?:y|ies))"
_SENSITIVE = (
    r"(?:password|passwort|wachtwoord|mot de passe|passphrase|pin(?: code)?|cvv|cvc|card numbers?"
    r"|credit card|bank details|iban|api key|access token|private key|recovery (?:code|phrase)"
    r"|backup codes?|one[- ]time code|otp|seed phrase|credentials|security code|login details)"
)
_TAGS = (
    r"a|abbr|article|audio|b|base|blockquote|body|br|button|canvas|center|code|details|div|em|embed"
    r"|font|footer|form|frame|frameset|h[1-6]|head|header|hr|html|i|iframe|img|input|label|li|link"
    r"|marquee|math|meta|noscript|object|ol|option|p|param|pre|script|section|select|span|strong"
    r"|style|svg|table|tbody|td|template|textarea|th|title|tr|u|ul|video|xml"
)
_HAND_OVER = r"(?:send|e-mail|email|mail|text|tell|give|share|reply with|post|forward|provide|dm)"

HOSTILE_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE | re.MULTILINE))
    for name, pattern in (
        # Hidden or active content.
        ("html", rf"<\s*/?\s*(?:{_TAGS})\b[^<>]*/?\s*>|<[a-z][a-z0-9-]*\s[^<>]*=[^<>]*>|<!--"
                 rf"|<!doctype"),
        ("html_entity_tag", r"&(?:lt|#0*60|#x0*3c);\s*/?\s*(?:script|img|iframe|svg|a|style)\b"),
        ("hidden_entity", r"&(?:#0*(?:173|820[3-7]|823[4-8]|829[2-9]|830[0-3]|65279)"
         r"|#x0*(?:ad|200[b-f]|202[a-e]|206[0-9a-f]|feff)|zwn?j|shy|lrm|rlm|zerowidthspace"
         r"|negative\w+space|nobreak|invisible(?:times|comma)|applyfunction|af|it|ic);"),
        ("image", r"!\[[^\]]*\]\s*[(\[]"),
        ("reference_link", r"^\s{0,3}\[[^\]]+\]:\s*\S+"),
        ("active_link", r"(?:javascript|vbscript|data|file|blob)\s*:\s*(?:[a-z]+/|//|\S*\()"),
        ("event_attribute", r"\bon(?:error|load|click|mouseover|focus)\s*="),
        ("template", r"\{\{.*?\}\}|\{%.*?%\}|\$\{[^}]*\}"),
        ("encoded", r"\b[A-Za-z0-9+/]{60,}={0,2}(?![\w/])"),
        # Fake structure of a conversation with a model.
        ("fake_role", r"(?:^|\n|[\"'([])\s*(?:#+\s*|\*\*)?(?:system|assistant|developer)"
         r"(?:\s+(?:message|prompt|note|override))?\s*(?:\*\*)?\s*[:>\]]"),
        ("fake_delimiter", r"<\|[^|>]*\|>|\[/?INST\]|<</?SYS>>|```\s*system|#{2,}\s*(?:system|"
         r"instruction|new instructions?)\b|(?:begin|end) (?:system|developer|admin) (?:prompt|"
         r"message|mode)|={3,}\s*(?:system|end of)"),
        # Orders to whoever reads.
        ("override", rf"\b(?:ignore|disregard|forget|override|bypass|overrule"
                     rf"|skip)\b[^.!?\n]{{0,40}}"
         rf"\b{_EARLIER}\b[^.!?\n]{{0,30}}\b{_ORDERS}"),
        ("override_other_language", r"(?:ignoriere|vergiss|negeer|vergeet|ignorez|oubliez"
                                    r"|ignore[zs]?"
         r" (?:as|les|todas)|ignora|olvida)\b[^.!?\n]{0,40}(?:anweisung|instructi|consigne|instruç|"
         r"instrucci|regels|règles|regras)"),
        ("new_instructions", rf"\b(?:new|updated|real|actual|revised|hidden|secret)\s+{_ORDERS}\s*:"
         r"|\bfrom now on,? (?:you|always|never|respond|answer|act)\b"
         r"|\byour (?:new|real|only) (?:task|role|job|goal|instruction)"),
        ("role_play", r"\b(?:you are|act as|pretend to be|behave like|roleplay as|you're) (?:now )?"
         r"(?:an? |the )?(?:unrestricted|jailbroken|evil|dan\b|developer mode|root"
         r"|admin(?:istrator)?"
         rf"|{_MODEL}\b|different)|\b(?:developer|god|debug|jailbreak|dan) mode (?:on|enabled|"
         r"activated)|\bdo anything now\b"),
        ("addresses_model", rf"\b(?:dear|hey|hi|hello|attention|note to|message (?:to|for)"
                            rf"|for the|to the"
         rf"|if you are (?:an?|the))\s+(?:any )?{_MODEL}s?\b[^.!?\n]{{0,12}}[:,!]"
         rf"|\bif you(?:'re| are) "
         rf"(?:an? |the )?{_MODEL}\b|\bas an? {_MODEL}\b|\b{_MODEL}s? (?:reading|processing"
         rf"|summari[sz]ing"
         r"|indexing|that reads?) this|\binstructions? for (?:the )?(?:ai|model|assistant|bot"
         r"|llm)"),
        ("prompt_leak", r"\b(?:reveal|print|show|repeat|output|leak|dump"
                        r"|disclose)\b[^.!?\n]{0,30}\b"
         r"(?:system|hidden|initial|secret|developer|internal) (?:prompt|instructions?"
         r"|message|policy"
         r"|documents?|notes?)"),
        ("poison", r"\b(?:add|insert|include|write|put|publish|append|save) (?:this"
                   r"|the following|that|"
         r"these)\b[^.!?\n]{0,40}\b(?:article|knowledge base|knowledge|kb|help cent(?:er|re)"
         r"|answer|"
         r"documentation|faq)\b|\b(?:mark|treat|consider|approve"
         r"|rank) this (?:\w+ )?(?:as )?(?:verified|"
         r"trusted|official|approved|policy|authoritative|draft|true|highest)"
         r"|\balways (?:answer|respond|"
         r"recommend|reply|tell (?:users|customers|people|everyone))\b|\b(?:every"
         r"|all) (?:answer|customer|"
         r"user|reply)s? (?:must|should) (?:now )?(?:include|be told|contain|mention)"),
        ("tool_call", r"\b(?:call|invoke|execute|run|use) the (?:tool|function|api|command"
                      r"|plugin)\b"
         r"|\bfunction_call\b|\btool_calls?\b|\b(?:curl|wget)\s+(?:-\S+\s+)*https?:|\brm -rf\b"
         r"|\bpowershell\b.*-enc|\bdrop table\b|\bunion select\b|\bsudo\s+\w+"),
        # Requests no article of ours makes.
        ("asks_secret", rf"\b{_HAND_OVER}\s+(?:us|me|them|him|her|support|over|back|the "
         rf"(?:agent|team"
         rf"|helpdesk))\b(?![^.!?\n]{{0,30}}\bwithout\b)[^.!?\n]{{0,40}}\b{_SENSITIVE}\b"
         rf"|\b{_HAND_OVER}\b[^.!?\n]{{0,25}}\b(?:your|his|her|their)\b[^.!?\n]{{0,20}}"
         rf"\b{_SENSITIVE}\b(?!\s+(?:reset|page|field|manager|policy|form))"
         rf"|\b{_HAND_OVER}\b[^.!?\n]{{0,30}}\b{_SENSITIVE}\b[^.!?\n]{{0,20}}\b(?:to|at)\b"
         rf"[^.!?\n]{{0,20}}(?:@|https?:|\[)|\b(?:confirm|verify) your {_SENSITIVE} (?:by|at"
         rf"|to|with|via"
         rf"|here)\b|\b(?:enter|type|fill in) your {_SENSITIVE}\b[^.!?\n]{{0,30}}(?:https?:"
         rf"|on this "
         r"(?:site|page|link))"),
        ("asks_money", r"\b(?:pay|transfer|wire|send|deposit)\b[^.!?\n]{0,40}\b(?:bitcoin|btc"
                       r"|crypto|usdt|"
         r"gift ?cards?|western union|moneygram|wallet address|to (?:this"
         r"|the following) (?:account|iban|"
         r"wallet))\b"),
        ("weakens_security", r"\b(?:disable|turn off|switch off|deactivate|uninstall"
                             r"|stop)\b[^.!?\n]{0,30}\b"
         r"(?:anti-?virus|firewall|mfa|two[- ]factor|2fa|multi[- ]factor|defender|encryption"
         r"|certificate "
         r"(?:check|validation)|security (?:check|software|agent))|\bclick (?:past|through) the "
         r"(?:certificate|security) warning|\bremote (?:access|control) (?:tool|app) (?:from"
         r"|at) http"),
    )
)  # fmt: skip
_PREFILTER = re.compile(r"[^\x00-\x7f]")


def find_hostile(text: str) -> list[HostileFinding]:
    """Every rule a text breaks, in the order of the list; empty means that nothing was seen.

    Looks through letters made to look like others, full-width and split-up forms: the text is
    compared as it stands and in its compatibility form without hidden characters.
    """
    found: list[HostileFinding] = []
    hidden = _HIDDEN_CHARACTERS.search(text)
    if hidden:
        around = text[max(0, hidden.start() - 20) : hidden.end() + 20]
        found.append(HostileFinding("hidden_characters", ascii(around)))
    if any(unicodedata.category(c) == "Cc" and c not in "\n\r\t" for c in text):
        found.append(HostileFinding("control_characters", ascii(text[:60])))
    if any(_is_mixed(word) for word in _LETTERS.findall(text)):
        found.append(HostileFinding("mixed_scripts", ascii(text[:60])))
    forms = [text] if not _PREFILTER.search(text) else [text, _folded(text)]
    if "&" in text and (unescaped := html.unescape(text)) != text:
        # Markdown turns entities into what they stand for.
        forms.append(_folded(unescaped))
    for name, pattern in HOSTILE_RULES:
        for form in forms:
            match = next((m for m in pattern.finditer(form) if not _is_denied(name, m)), None)
            if match:
                found.append(HostileFinding(name, match.group().strip()[:80]))
                break
    return found


_TWINS = "аеіоорсухѕјӏԁһвкмнтАВЕКМНОРСТХІЅαεινορτυ"
_LOOK_ALIKES = str.maketrans(_TWINS, "aeioopcyxsjldhbkmhtABEKMHOPCTXISaeivoptu")
_LETTERS = re.compile(r"[^\W\d_]{3,}")


def _is_mixed(word: str) -> bool:
    """Latin letters and their Cyrillic or Greek twins in one word: nobody types that."""
    return any(c in _TWINS for c in word) and any("a" <= c.lower() <= "z" for c in word)


_DENIAL = re.compile(
    r"\b(?:never|not|nor|without|nobody)\b[^.!?\n]*$|n['’]t\b[^.!?\n]*$", re.IGNORECASE
)


def _is_denied(rule: str, match: re.Match[str]) -> bool:
    """ "Never send us your password" is what an article should say."""
    return rule == "asks_secret" and bool(
        _DENIAL.search(match.string, max(0, match.start() - 40), match.start())
    )


def is_hostile(text: str) -> bool:
    """Whether a text breaks any rule."""
    return bool(find_hostile(text))


def _folded(text: str) -> str:
    """Compatibility form without hidden characters, Cyrillic and Greek twins as Latin letters."""
    return _HIDDEN_CHARACTERS.sub("", unicodedata.normalize("NFKC", text)).translate(_LOOK_ALIKES)
