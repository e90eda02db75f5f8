"""What changed around a version since somebody last stood behind it; pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from gaps.freshness.age import last_confirmed
from gaps.freshness.facts import ArticleFacts, Finding, Release, World
from gaps.freshness.terms import find_codes, find_menus, find_versions, name_day
from kb.types import Document

FEWEST_TICKETS = 3
SHOWN_TERMS = 5
RELEASE_FLOOR, DATE_FLOOR, TERM_FLOOR = 0.25, 0.10, 0.10
"""A release whose notes name what the article names; a date in it that passed since it was
confirmed; a name that nobody uses any more. Weak each: most such articles still hold."""


OLD_TITLE_VERSIONS, OLD_TITLE_FLOOR = 2, 0.20
"""A page whose very title names a version two major versions or more behind is history: of ten such
pages of the Thunderbird help centre seven were retired in 2,700 page-days, a fifth a quarter
(bench/README.md)."""


def find_world(facts: ArticleFacts, world: World) -> Iterator[Finding]:
    """Releases, versions, names that came or went, and dates that passed."""
    yield from _releases(facts, world)
    yield from _old_versions(facts, world)
    yield from _vanished(facts, world)
    yield from _new_terms(facts)
    yield from _dates(facts, world)


def releases_since(document: Document, since: datetime, world: World) -> tuple[Release, ...]:
    """Releases of the article's product after a moment, none of the future."""
    products = set(document.metadata.products)
    return tuple(
        r
        for r in world.releases
        if since < r.at <= world.now
        and (r.product is None or not products or r.product in products)
    )


def _releases(facts: ArticleFacts, world: World) -> Iterator[Finding]:
    held = facts.text.terms
    named: dict[str, list[str]] = {}
    found = releases_since(facts.document, last_confirmed(facts), world)
    for release in found:
        noted = {*find_menus(release.notes), *find_codes(release.notes)}
        for term in sorted(noted & held):
            named.setdefault(term, []).append(f"{release.name} {release.version}")
    if named:
        terms = sorted(named)[:SHOWN_TERMS]
        text = f"{named[terms[0]][0]} changed {', '.join(terms)}"
        sources = tuple(dict.fromkeys(name for key in terms for name in named[key]))
        yield Finding("release", text, sources, RELEASE_FLOOR, float(len(named)))
    elif found:
        text = f"{len(found)} releases since it was last confirmed"
        last = (f"{found[-1].name} {found[-1].version}",)
        yield Finding("releases_since", text, last, value=float(len(found)))


def _old_versions(facts: ArticleFacts, world: World) -> Iterator[Finding]:
    behind = {
        name: (said, world.newest[name])
        for name, said in (facts.text.versions or {}).items()
        if name in world.newest and said[:1] < world.newest[name][:1]
    }
    if not behind:
        return
    name, (said, newest) = max(
        behind.items(), key=lambda item: (item[1][1][0] - item[1][0][0], item[0])
    )
    distance = float(newest[0] - said[0])
    titled = find_versions(facts.document.metadata.title).get(name)
    text = f"names {name} {_join(said)} at most, {_join(newest)} is out"
    if titled is not None and titled[:1] == said[:1] and distance >= OLD_TITLE_VERSIONS:
        yield Finding("old_title", f"is about {name} {_join(said)}, {_join(newest)} is out",
                      floor=OLD_TITLE_FLOOR, value=distance)  # fmt: skip
    yield Finding("old_version", text, value=distance)


def _vanished(facts: ArticleFacts, world: World) -> Iterator[Finding]:
    gone = sorted(facts.text.terms & world.vanished.keys())
    if gone:
        before = max(world.vanished[term][0] for term in gone)
        text = f"nobody speaks of {', '.join(gone[:SHOWN_TERMS])} any more ({before} tickets did)"
        yield Finding("vanished", text, tuple(gone[:SHOWN_TERMS]), TERM_FLOOR, float(len(gone)))


def _new_terms(facts: ArticleFacts) -> Iterator[Finding]:
    fresh = [(term, count) for term, count in facts.new_terms if count >= FEWEST_TICKETS]
    if fresh:
        terms = tuple(term for term, _ in fresh[:SHOWN_TERMS])
        text = f"tickets it was used on speak of {', '.join(terms)}, it does not"
        yield Finding("new_terms", text, terms, value=float(len(fresh)))


def _dates(facts: ArticleFacts, world: World) -> Iterator[Finding]:
    """Only dates that were still to come when it was written or last confirmed."""
    since, today = last_confirmed(facts).toordinal(), world.now.astimezone(UTC).toordinal()
    passed = [day for day in facts.text.dates if since <= day < today]
    if passed:
        text = f"names {', '.join(name_day(day) for day in passed[:SHOWN_TERMS])}, which has passed"
        yield Finding("date_passed", text, (), DATE_FLOOR, float(len(passed)))


def _join(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def newest_of_releases(releases: tuple[Release, ...], now: datetime) -> dict[str, tuple[int, ...]]:
    """Newest version of each product that was out at a moment."""
    newest: dict[str, tuple[int, ...]] = {}
    for release in releases:
        said = find_versions(f"{release.name.title()} {release.version}")
        for name, parts in said.items() if release.at <= now else ():
            newest[name] = max(newest.get(name, parts), parts)
    return newest
