"""Two sentences laid side by side, value against value; pure.

Where the words around two values are the same, the values are about the same thing whatever
their unit: "floor 3" and "the 3rd floor", "2:30 pm" and "3:30 pm", "must" and "may".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from kb.slots import Word, are_different, periods_of, read_words
from kb.statements import Disagreement

SAME_WORDING = 0.60
"""Share of words two sentences have in common, in order, from which on their values are compared
place by place. Set on the "tune" half of bench/hierarchy_labels.csv."""
SAME_CLAUSE = 0.75
"""The same for a modal, whose verb has to be the same too: "must report", "may report"."""
DENIAL_SPARE_WORDS = 1
"""Words either sentence may have over and above the other beside a lone "not": with more of them
the "not" mostly belongs to a clause of its own."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """How alike two sentences are worded and where their values part."""

    likeness: float
    """0 to 1, values not counted as words."""
    renamed: bool
    """Each names something in a place where the other names something else."""
    disagreements: tuple[Disagreement, ...]
    """Only where the wording is alike enough, in the order of the left sentence."""

    @property
    def agrees(self) -> bool:
        """The same wording, and no value that differs."""
        return self.likeness >= SAME_WORDING and not self.disagreements


def align_sentences(left: str, right: str) -> Alignment:
    """Compare two sentences place by place.

    Sentences that name different years speak of different periods and do not disagree.
    """
    one, two = read_words(left), read_words(right)
    ours, theirs = _without_denials(one), _without_denials(two)
    matcher = SequenceMatcher(None, [w.key for w in ours], [w.key for w in theirs], autojunk=False)
    likeness = matcher.ratio()
    if likeness < SAME_WORDING:
        return Alignment(likeness, True, ())
    found: list[Disagreement] = []
    renamed = False
    spare = [0, 0]
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        mine, other = ours[i1:i2], theirs[j1:j2]
        if tag == "equal":
            pairs = list(zip(mine, other, strict=True))
        else:
            pairs = _pair_values(mine, other)
            renamed |= any(w.name for w in mine) and any(w.name for w in other)
            spare = [spare[0] + len(mine), spare[1] + len(other)]
        for a, b in pairs:
            if a.kind == "modal" and not (
                likeness >= SAME_CLAUSE and _next(ours, a) == _next(theirs, b)
            ):
                continue
            if _is_disagreement(a, b):
                found.append(Disagreement(str(a.kind), a.text, b.text))
    periods = set(periods_of(one)), set(periods_of(two))
    if all(periods) and periods[0] != periods[1]:
        return Alignment(likeness, renamed, ())
    if not found and max(spare) <= DENIAL_SPARE_WORDS:
        denials = len(one) - len(ours), len(two) - len(theirs)
        if sorted(denials) == [0, 1]:
            found.append(Disagreement("denial", *("denied" if d else "stated" for d in denials)))
    return Alignment(likeness, renamed, tuple(found))


def _without_denials(words: Sequence[Word]) -> list[Word]:
    return [word for word in words if word.kind != "denial"]


def _next(words: Sequence[Word], word: Word) -> str:
    """The key of what follows a word, by identity: a sentence may hold it twice."""
    place = next(i for i, other in enumerate(words) if other is word)
    return words[place + 1].key if place + 1 < len(words) else ""


def _pair_values(ours: Sequence[Word], theirs: Sequence[Word]) -> list[tuple[Word, Word]]:
    """Values of one kind in a replaced stretch, in order, where both have equally many."""
    pairs = []
    keys = dict.fromkeys(word.key for word in ours if word.kind)
    for key in keys:
        one = [word for word in ours if word.key == key]
        two = [word for word in theirs if word.key == key]
        if len(one) == len(two):
            pairs += list(zip(one, two, strict=True))
    return pairs


def _is_disagreement(left: Word, right: Word) -> bool:
    if left.kind is None or right.kind is None or left.kind in ("place", "year"):
        return False
    return are_different(left, right)
