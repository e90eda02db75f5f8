"""Throw made-up calls at a served knowledge base, as every role: nothing may answer 5xx.

    python bench/fuzz.py [--cases 20000] [--seed 1] [--json FILE]

Calls are made by schemathesis from the service's own OpenAPI document, half of them right and half
wrong in some place; in every third, identifiers are ones that are there. Ends 1 when something
answered 5xx, hung up or took longer than `CALL_SECONDS`, and prints each as a curl command.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import hypothesis
import schemathesis
from schemathesis import GenerationMode
from served_content import ServedContent

NOBODY = "nobody"
REVOKED = "revoked"
CALL_SECONDS = 300.0
"""Calls that run a job wait for it."""
MODES = (GenerationMode.NEGATIVE, GenerationMode.POSITIVE)
"""Wrong calls first: where none can be made, right ones make up for them."""
PROBES = 3
"""Operations that take nothing, so that there is one call of each."""
SETTINGS = "\n[drive]\ndrafts_per_drive = 0\n"


@schemathesis.serializer("application/x-ndjson")
def serialize_lines(_context: Any, value: Any) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "surrogatepass")


class Fuzzer:
    """Asks, counts, and keeps what must not be."""

    def __init__(
        self, address: str, keys: Mapping[str, str], known: Mapping[str, list[str]], seed: int
    ) -> None:
        self.statuses: Counter[str] = Counter()
        self.by_operation: Counter[str] = Counter()
        self.faults: list[dict[str, Any]] = []
        self._client = httpx.Client(base_url=address, timeout=CALL_SECONDS)
        self._keys = keys
        self._known = known
        self._random = random.Random(seed)

    def ask(self, label: str, who: str, said: dict[str, Any], template: str) -> None:
        """One call from what schemathesis made of it."""
        path = said["url"].removeprefix("http://x")
        if self._random.random() < 1 / 3:
            path = self._put_known(template) or path
        headers = dict(said.get("headers") or {})
        headers.pop("User-Agent", None)
        if who != NOBODY:
            headers["Authorization"] = f"Bearer {self._keys[who]}"
        body = {"content": said["data"]} if "data" in said else {}
        if "json" in said:
            body = {"content": json.dumps(said["json"]).encode("utf-8", "surrogatepass")}
            headers["Content-Type"] = "application/json"
        started = time.perf_counter()
        try:
            answer = self._client.request(
                said["method"], path, params=said.get("params"), headers=_encodable(headers), **body
            )
            status, text = str(answer.status_code), answer.text[:300]
        except (httpx.HTTPError, ValueError) as error:
            if isinstance(error, ValueError | httpx.UnsupportedProtocol | httpx.InvalidURL):
                self.statuses["not sendable"] += 1
                return
            status, text = type(error).__name__, str(error)
        self.statuses[status] += 1
        self.by_operation[label] += 1
        if not status.isdigit() or status.startswith("5"):
            self.faults.append({
                "operation": label, "as": who, "status": status, "answer": text,
                "seconds": round(time.perf_counter() - started, 2), "method": said["method"],
                "path": path, "params": repr(said.get("params")),
                "body": repr(body.get("content"))[:600],
            })  # fmt: skip

    def _put_known(self, template: str) -> str | None:
        """The path with identifiers that are there; None where the path names nothing known."""
        path = template
        for name, values in self._known.items():
            chosen = self._random.choice(values) if values else "x"
            path = path.replace("{" + name + "}", quote(chosen, safe=""))
            path = path.replace("{" + name + ":path}", quote(chosen))
        return None if "{" in path else path


def _encodable(headers: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: str(value).encode("latin-1", "replace") for name, value in headers.items()}


def fuzz_operation(
    operation: Any, mode: GenerationMode, count: int, ask: Callable[[dict[str, Any]], None]
) -> None:
    """Ask an operation so many times; none where it cannot be asked wrongly."""

    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        ask(case.as_transport_kwargs(base_url="http://x"))

    try:
        run()
    except (hypothesis.errors.Unsatisfiable, schemathesis.errors.SchemathesisError) as error:
        print(f"  {operation.label} {mode.value}: {str(error).splitlines()[0][:90]}")


def find_known(address: str, keys: Mapping[str, str]) -> dict[str, list[str]]:
    """Identifiers that are there, by the name of the path parameter that takes them."""
    admin = {"Authorization": f"Bearer {keys['admin']}"}
    with httpx.Client(base_url=address, headers=admin, timeout=CALL_SECONDS) as client:

        def read(path: str, name: str) -> list[str]:
            items = client.get(path, params={"limit": 20}).json().get("items", [])
            return [str(item[name]) for item in items]

        searched = [
            client.post("/v1/search", json={"query": "refund"}).json()["search_id"]
            for _ in range(3)
        ]
        return {
            "document_id": read("/v1/articles", "document_id"),
            "gap_id": read("/v1/gaps", "gap_id"),
            "draft_id": read("/v1/drafts", "draft_id"),
            "topic_id": read("/v1/topics", "topic_id"),
            "run_id": read("/v1/jobs", "id"),
            "search_id": searched,
            "name": [*read("/v1/sources", "name"), "freshness", "sync"],
            "vector_store_id": ["default", "help"],
            "store_id": ["default", "help"],
            "id": ["default", "help"],
        }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kb-fuzz-"))
    world = ServedContent(folder / "kb", SETTINGS)
    world.run("sync")
    world.import_tickets()
    world.run("gaps", "find")
    keys = world.make_keys()
    revoked = world.run("keys", "create", "--role", "admin", "--audience", "internal")
    keys[REVOKED] = revoked["key"]
    started = time.perf_counter()
    with world.serve() as (address, _):
        world.run_plain("keys", "revoke", revoked["key_id"])
        document = httpx.get(f"{address}/openapi.json", timeout=CALL_SECONDS).json()
        schema = schemathesis.openapi.from_dict(document)
        operations = [found.ok() for found in schema.get_all_operations()]
        callers = [*keys, NOBODY]
        each = -(-asked.cases // (len(operations) - PROBES))
        fuzzer = Fuzzer(address, keys, find_known(address, keys), asked.seed)
        print(f"{len(operations)} operations, {len(callers)} callers, {each} cases each")
        for operation in operations:
            for mode in MODES:
                turn = iter(range(10**9))

                def ask(said: dict[str, Any], label: str = operation.label,
                        template: str = operation.path, turn: Any = turn) -> None:  # fmt: skip
                    fuzzer.ask(label, callers[next(turn) % len(callers)], said, template)

                done = fuzzer.by_operation[operation.label]
                fuzz_operation(operation, mode, (each - done) // (2 - MODES.index(mode)), ask)
            print(f"  {operation.label}: {fuzzer.by_operation[operation.label]}", flush=True)
        alive = httpx.get(f"{address}/readyz", timeout=CALL_SECONDS).status_code
    return report(fuzzer, alive, time.perf_counter() - started, asked.json, folder)


def report(fuzzer: Fuzzer, alive: int, seconds: float, path: Path | None, folder: Path) -> int:
    total = sum(fuzzer.statuses.values())
    print(f"\n{total} cases in {seconds:.0f} s, ready afterwards: {alive}")
    for status, count in sorted(fuzzer.statuses.items()):
        print(f"  {status:>14} {count:6}")
    for fault in fuzzer.faults[:40]:
        print(json.dumps(fault, ensure_ascii=True))
    if path is not None:
        path.write_text(json.dumps({
            "cases": total, "seconds": seconds, "statuses": fuzzer.statuses,
            "by_operation": fuzzer.by_operation, "faults": fuzzer.faults,
        }, indent=1))  # fmt: skip
    if fuzzer.faults or alive != httpx.codes.OK:
        print(f"kept {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
