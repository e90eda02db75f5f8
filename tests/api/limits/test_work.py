"""Which class a request is of: probes, searches, small things, bulk."""

from __future__ import annotations

import pytest

from api.limits.work import Counted, Work, classify, find_counted


@pytest.mark.parametrize(
    ("method", "path", "work", "counted"),
    [
        ("GET", "/healthz", Work.PROBE, None),
        ("GET", "/readyz", Work.PROBE, None),
        ("GET", "/metrics", Work.PROBE, None),
        ("POST", "/v1/search", Work.SEARCH, Counted.SEARCHES),
        ("POST", "/v1/context", Work.SEARCH, Counted.SEARCHES),
        ("POST", "/mcp", Work.SEARCH, Counted.SEARCHES),
        ("POST", "/compat/dify/retrieval", Work.SEARCH, Counted.SEARCHES),
        ("POST", "/v1/vector_stores/default/search", Work.SEARCH, Counted.SEARCHES),
        ("POST", "/v1/searches/se_1/replay", Work.SEARCH, Counted.SEARCHES),
        ("GET", "/v1/searches/se_1", Work.INTERACTIVE, Counted.READS),
        ("POST", "/v1/outcomes", Work.INTERACTIVE, Counted.WRITES),
        ("POST", "/v1/gap-signals", Work.INTERACTIVE, Counted.WRITES),
        ("GET", "/v1/articles/x/y/search", Work.INTERACTIVE, Counted.READS),
        ("POST", "/v1/tickets", Work.BULK, Counted.WRITES),
        ("POST", "/v1/sources/help/sync", Work.BULK, Counted.WRITES),
        ("POST", "/v1/jobs/drive/run", Work.BULK, Counted.WRITES),
        ("POST", "/v1/drafts", Work.BULK, Counted.WRITES),
        ("GET", "/v1/drafts", Work.INTERACTIVE, Counted.READS),
        ("GET", "/review", Work.INTERACTIVE, None),
        ("GET", "/search", Work.INTERACTIVE, None),
        ("POST", "/search", Work.SEARCH, None),
        ("GET", "/search/se_1", Work.SEARCH, None),
        ("POST", "/search/se_1/wrong", Work.INTERACTIVE, None),
        ("DELETE", "/healthz/x", Work.INTERACTIVE, None),
    ],
)
def test_each_request_is_of_one_class(
    method: str, path: str, work: Work, counted: Counted | None
) -> None:
    assert (classify(method, path), find_counted(method, path)) == (work, counted)
