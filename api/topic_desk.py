"""Topics as people see and correct them, wired to the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gaps import repository, signals
from gaps.drafting.publications import read_publications
from gaps.finding.report import gap_json
from gaps.keeping import correcting, rows
from gaps.keeping.corrections import CorrectionKind
from gaps.ranking.weeks import list_weeks, start_of_week
from gaps.signals import Signal
from gaps.types import GapKind, GapStatus
from kb.clock import format_instant
from kb.errors import InvalidInputError

if TYPE_CHECKING:
    from api.keys import Caller
    from api.wiring import Application

LEAST_GROWTH, MOST_GROWTH = 1.0, 100.0


class TopicDesk:
    """What owners do with topics, and agents with signals."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def tell(self, signal: Signal, caller: Caller) -> str:
        """Keep an agent's signal; the next run reads it beside the tickets."""
        application = self._application
        if signal.reason not in signals.REASONS:
            allowed = ", ".join(reason.value for reason in signals.REASONS)
            raise InvalidInputError(f"expected one of: {allowed}", where="reason")
        with application.database.write() as connection:
            return signals.write_signal(
                connection, signal, key_id=caller.key_id, audience=caller.audience,
                now=application.clock.now(),
            )  # fmt: skip

    def list_topics(self) -> list[dict[str, Any]]:
        """Areas and topics, by id, with how many tickets each ever had."""
        with self._application.database.read() as connection:
            found = rows.read_topics(connection, level=None)
        return [_topic_json(stored) for stored in found]

    def show_topic(self, topic_id: str) -> dict[str, Any]:
        """A topic with its whole series, what became of it, and what people said."""
        with self._application.database.read() as connection:
            stored = rows.read_topic(connection, topic_id)
            events = rows.read_events(connection, topic_id)
            corrections = correcting.read_corrections(connection, topic_id)
            instants = rows.read_instants(connection, topic_id)
            gap = next(
                (s.gap for s in repository.read_stored_gaps(connection)
                 if s.gap.topic_id == topic_id), None,
            )  # fmt: skip
            published = [] if gap is None else read_publications(connection, gap_id=gap.gap_id)
        weeks = list_weeks(instants[0], instants[-1]) if instants else []
        counts = dict.fromkeys([*weeks, *(start_of_week(at) for at in instants[-1:])], 0)
        for at in instants:
            counts[start_of_week(at)] += 1
        return _topic_json(stored) | {
            "weeks": [
                {"week": format_instant(week), "tickets": count} for week, count in counts.items()
            ],
            "events": [
                {
                    "at": format_instant(at), "topic_id": event.topic_id,
                    "kind": event.kind.value, "others": list(event.others),
                    "tickets": event.ticket_count,
                }
                for at, event in events
            ],
            "corrections": [
                {
                    "at": format_instant(c.at), "by": c.by, "kind": c.kind.value,
                    "value": c.value, "reason": c.reason, "tickets": len(c.ticket_ids),
                }
                for c in corrections
            ],
            "publications": [
                {"at": format_instant(p.published_at), "document_id": p.document_id}
                for p in published
            ],
            "gap": gap_json(gap) if gap is not None else None,
        }  # fmt: skip

    def correct(
        self,
        gap_id: str,
        kind: CorrectionKind,
        caller: Caller,
        *,
        value: str | None = None,
        tickets: tuple[str, ...] = (),
        reason: str | None = None,
        growth: float | None = None,
    ) -> dict[str, Any]:
        """Say what a gap is; it binds every later run.

        Args:
            gap_id: The gap.
            kind: What is said.
            caller: Who says it.
            value: The kind it is, the owner, the title, or the id of the gap it belongs to.
            tickets: Those to split off.
            reason: Why; needed to dismiss.
            growth: Of a dismissal: the factor of weekly tickets that opens the gap again.

        Returns:
            The gap that goes on: itself, the one it was merged into, or the one split off.

        Raises:
            NotFoundError: There is no such gap.
            InvalidInputError: The value fits the kind of correction not.
            ConflictError: The gap's state does not allow it.
        """
        application = self._application
        by, now = caller.name, application.clock.now()
        with application.database.write() as connection:
            gap = repository.read_gap(connection, gap_id)
            shown = gap_id
            if kind is CorrectionKind.NOT_A_GAP:
                if gap.status is not GapStatus.DISMISSED:
                    correcting.note_dismissal(
                        connection, gap, by=by, now=now, reason=_needed(reason, "reason")
                    )
                repository.dismiss_gap(
                    connection, gap_id, reason=_needed(reason, "reason"), by=by, now=now,
                    growth=_checked_growth(growth),
                )  # fmt: skip
            elif kind is CorrectionKind.KIND_IS:
                is_kind = _to_kind(_needed(value, "value"))
                correcting.correct_kind(connection, gap, is_kind, by=by, now=now, reason=reason)
            elif kind is CorrectionKind.ASSIGN:
                owner = self._to_owner(_needed(value, "value"))
                correcting.assign_owner(connection, gap, owner, by=by, now=now, reason=reason)
            elif kind is CorrectionKind.TITLE_IS:
                title = _needed(value, "value")
                correcting.name_gap(connection, gap, title, by=by, now=now, reason=reason)
            elif kind is CorrectionKind.MERGE:
                into = repository.read_gap(connection, _needed(value, "value"))
                correcting.merge_gaps(connection, gap, into, by=by, now=now, reason=reason)
                shown = into.gap_id
            else:
                shown = correcting.split_gap(
                    connection, gap, tickets, by=by, now=now, reason=reason
                )
            return gap_json(repository.read_gap(connection, shown))

    def _to_owner(self, name: str) -> str:
        known = sorted(owner.name for owner in self._application.settings.owners)
        if name not in known:
            raise InvalidInputError(f"expected one of: {', '.join(known)}", where="value")
        return name


def _topic_json(stored: rows.StoredTopic) -> dict[str, Any]:
    return {
        "topic_id": stored.topic.topic_id,
        "title": stored.topic.title,
        "terms": list(stored.topic.terms),
        "level": stored.level,
        "parent_id": stored.parent_id,
        "merged_into": stored.merged_into,
        "tickets": len(stored.topic.ticket_ids),
        "first_found_at": format_instant(stored.created_at),
    }


def _needed(value: str | None, where: str) -> str:
    if value is None or not value.strip():
        raise InvalidInputError("missing", where=where)
    return value.strip()


def _to_kind(value: str) -> GapKind:
    try:
        return GapKind(value)
    except ValueError:
        allowed = ", ".join(kind.value for kind in GapKind)
        raise InvalidInputError(f"expected one of: {allowed}", where="value") from None


def _checked_growth(growth: float | None) -> float | None:
    if growth is not None and not LEAST_GROWTH < growth <= MOST_GROWTH:
        raise InvalidInputError(
            f"expected more than {LEAST_GROWTH:.0f} and at most {MOST_GROWTH:.0f}", where="growth"
        )
    return growth
