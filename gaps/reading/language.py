"""Which language a text is in, by its function words; pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_FUNCTION_WORDS = {
    "en": "the and is are was of to it not my this that with have you for on i do can when what",
    "nl": "de het een en is niet ik mijn dat van op met voor ook maar als kan wordt geen naar",
    "fr": "le la les des une et est pas je mon que pour dans avec sur ne vous mais depuis aux",
    "de": "der die das und ist nicht ich mein mit für auf ein eine dass aber wenn kann wird zu",
    "pt": "o a os um uma e não é que meu minha com para do da em mas quando já foi isto está",
    "es": "el la los una y no es que mi con para del en pero cuando ya está por mis lo se",
    "it": "il la che non è un una di per con mio mia ma quando sono del della anche ho si",
    "pl": "nie jest się na do że mam jak to po od ale czy przez mi witam proszę dla są",
}
_LANGUAGES = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
FEWEST_WORDS = 2


def guess_language(text: str) -> str | None:
    """Code of the language most of whose function words the text holds; None without evidence."""
    words = Counter(re.findall(r"[^\W\d_]+", text.lower()))
    counts = {
        language: sum(words[word] for word in known) for language, known in _LANGUAGES.items()
    }
    best = max(sorted(counts), key=lambda language: counts[language])
    return best if counts[best] >= FEWEST_WORDS else None


def main_language(texts: Iterable[str]) -> str | None:
    """The language most of the texts are in; None where none shows its language."""
    found = Counter(language for text in texts if (language := guess_language(text)))
    return max(sorted(found), key=lambda language: found[language]) if found else None
