"""The order in which rulings put what relevance has ranked; pure.

A winner takes the place of the best it beats: who asks for the matter of the overruled passage
is answered by what overrules it. Everything else keeps its order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kb.types import Ruling


def order_by_rulings(ranked: Sequence[str], rulings: Iterable[Ruling]) -> list[str]:
    """Put every winner above those it beats.

    Documents no ruling names keep their order among each other, and so do those that lost to
    nobody here and won against nobody. A document that only wins never falls, one that only loses
    never rises above a document it did not lose to.

    Args:
        ranked: Document ids, most relevant first; a repeated one counts at its first place.
        rulings: In any order; those about documents not ranked are ignored, those in a circle
            too.

    Returns:
        The same ids, each once.
    """
    keys = list(dict.fromkeys(ranked))
    beaten_by = _winners_of(keys, drop_circles(rulings))
    ordered: dict[str, None] = {}
    for key in keys:
        _place(key, beaten_by, ordered)
    return list(ordered)


def _place(key: str, beaten_by: Mapping[str, Sequence[str]], ordered: dict[str, None]) -> None:
    """Place a document behind all that beat it; there is no circle any more."""
    ahead = [key]
    while ahead:
        waiting = [k for k in beaten_by.get(ahead[-1], ()) if k not in ordered]
        if waiting:
            ahead.append(waiting[0])
        else:
            ordered[ahead.pop()] = None


def _winners_of(keys: Sequence[str], rulings: Iterable[Ruling]) -> dict[str, list[str]]:
    """Who beats whom among the ranked, the most relevant winner first."""
    place = {key: number for number, key in enumerate(keys)}
    found: dict[str, set[str]] = {}
    for ruling in rulings:
        if ruling.winner in place and ruling.loser in place:
            found.setdefault(ruling.loser, set()).add(ruling.winner)
    return {loser: sorted(winners, key=place.__getitem__) for loser, winners in found.items()}


def drop_circles(rulings: Iterable[Ruling]) -> list[Ruling]:
    """Without rulings that run in a circle, in their order: there nobody wins and all are shown.

    The hierarchy rules in no circle by itself; rulings of different moments or customers may.
    """
    kept = list(rulings)
    beats: dict[str, set[str]] = {}
    for ruling in kept:
        beats.setdefault(ruling.winner, set()).add(ruling.loser)
    reach = {key: _reach(beats, key) for key in beats}
    return [r for r in kept if r.winner not in reach.get(r.loser, ()) and r.winner != r.loser]


def _reach(beats: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    ahead = list(beats[start])
    while ahead:
        key = ahead.pop()
        if key not in found:
            found.add(key)
            ahead.extend(beats.get(key, ()))
    return found
