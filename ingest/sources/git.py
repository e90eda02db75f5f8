"""The connector of kind "git": Markdown files on a branch of a repository.

Read at one commit; a change is one commit more, made from objects and pushed without force. Where
the remote moved meanwhile, the same change is made on top of what it holds now, unless the file
itself changed: then nothing is written.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from ingest.parsing.front_matter import MAX_FILE_BYTES
from ingest.sources.git_command import GitCommand, GitFailedError, hide_secrets, protocol_of
from ingest.sources.markdown import SUFFIX, MarkdownFolder, check_unique
from ingest.sources.port import (
    Delivery,
    DeliveryState,
    SourceChange,
    SourceFacts,
    SourceListing,
    check_path,
)
from kb.errors import ConflictError, InvalidInputError, StaleError, UnavailableError
from kb.types import Audience, ParsedDocument

KIND = "git"
DRAFT = "{draft}"
PUSH_ATTEMPTS = 4
"""Times the remote may move between our fetch and our push before we say so."""
READ_REF = "refs/kbops/read"
COMMITTER = "kbops"
FILE, LINK = "100644", "120000"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file or link in a tree."""

    mode: str
    blob: str
    size: int


@dataclass(frozen=True)
class GitSource:
    """Reads `**/*.md` on a branch, and writes commits to it or to a branch for each draft."""

    name: str
    location: str
    mirror: Path
    """Where the bare mirror is kept."""
    authority: str
    audience: Audience
    owner: str
    branch: str | None = None
    """The remote's own choice where None; with "{draft}" in it, changes are proposed on a branch of
    that name and the remote's own choice is read."""
    folder: str = ""
    protocols: tuple[str, ...] = ("https", "ssh", "file")
    timeout_seconds: int = 60
    review_every_days: int | None = None
    authorities: Collection[str] = ()
    owners: Collection[str] = ()

    @property
    def facts(self) -> SourceFacts:
        return SourceFacts(
            self.name, KIND, hide_secrets(self.location), self.authority, self.audience,
            self.owner, self.review_every_days,
        )  # fmt: skip

    @property
    def proposes(self) -> bool:
        """Whether changes go to branches of their own."""
        return self.branch is not None and DRAFT in self.branch

    def read_documents(self) -> SourceListing:
        """Parse every Markdown file of the branch as it is now, in the order of paths.

        Hidden files and submodules are passed by. A link is read where it leads to a file of the
        folder, and refused where it leads out of it.

        Raises:
            InvalidInputError: The location, branch or folder is not there or not allowed.
            UnavailableError: The remote cannot be reached.
        """
        with self._git.alone():
            commit = self._fetch()
        entries = self._list(commit)
        found, refused = _choose_files(entries, self._read_links(entries))
        paths = sorted(found)
        texts = self._git.read_blobs([found[path] for path in paths])
        documents: dict[str, ParsedDocument] = {}
        for path, raw in zip(paths, texts, strict=True):
            try:
                parsed = self.parse(raw, path)
                check_unique(parsed, documents)
                documents[parsed.document_id] = parsed
            except InvalidInputError as error:
                refused.append((path, error))
        return SourceListing(list(documents.values()), sorted(refused, key=lambda r: r[0]))

    def parse(self, raw: bytes, path: str) -> ParsedDocument:
        """Read one file's bytes as this source would.

        Raises:
            InvalidInputError: Names file, line and what was expected.
        """
        reader = MarkdownFolder(
            self.name, self.mirror, self.authority, self.audience, self.owner,
            self.review_every_days, self.authorities, self.owners,
        )  # fmt: skip
        return reader.parse(raw, path)

    def locate(self, path: str) -> Path:
        """A name for the file; in the mirror nothing lies there."""
        return self.mirror / self.folder / check_path(path)

    def read_present(self, path: str, *, fresh: bool = True) -> bytes | None:
        """The file on the branch; None where there is none."""
        check_path(path)
        with self._git.alone():
            commit = None if fresh else self._known(READ_REF)
            commit = commit or self._fetch()
        return self._read_file(commit, path)

    def write(self, change: SourceChange) -> Delivery:
        """Commit and push; nothing where the branch says it already."""
        check_path(change.path)
        with self._git.alone():
            if self.proposes:
                return self._propose(change)
            branch = self.branch or self._default_branch()
            for _ in range(PUSH_ATTEMPTS):
                head = self._fetch()
                if self._read_file(head, change.path) == change.content:
                    return Delivery(DeliveryState.WRITTEN, branch, head)
                commit = self._commit(head, change)
                if self._push(commit, branch, head):
                    return Delivery(DeliveryState.WRITTEN, branch, commit)
        raise UnavailableError(f"source {self.name}: {branch} keeps moving; nothing was pushed")

    @property
    def _git(self) -> GitCommand:
        return GitCommand(self.mirror, self.protocols, self.timeout_seconds)

    def _propose(self, change: SourceChange) -> Delivery:
        head = self._fetch()
        if self._read_file(head, change.path) == change.content:
            return Delivery(DeliveryState.WRITTEN, None, head)
        branch = str(self.branch).replace(DRAFT, change.draft_id)
        standing = self._remote_commit(f"refs/heads/{branch}")
        # What lies there may hold a reviewer's own commits by now.
        if standing is not None:
            return Delivery(DeliveryState.PROPOSED, branch, standing)
        if change.proposed_on == branch:
            return Delivery(DeliveryState.DECLINED, branch)
        commit = self._commit(head, change)
        if not self._push(commit, branch, None):
            raise UnavailableError(f"source {self.name}: {branch} appeared meanwhile")
        return Delivery(DeliveryState.PROPOSED, branch, commit)

    def _fetch(self) -> str:
        """The commit the branch is at on the remote, fetched."""
        if protocol_of(self.location) not in self.protocols:
            raise InvalidInputError(
                f"{protocol_of(self.location)} is not among the protocols allowed:"
                f" {', '.join(self.protocols)}", where=f"source {self.name}",
            )  # fmt: skip
        self._git.prepare()
        wanted = "HEAD" if self.branch is None or self.proposes else f"refs/heads/{self.branch}"
        try:
            self._git.run(
                "fetch", "--quiet", "--no-tags", "--force", "--no-write-fetch-head",
                "--no-recurse-submodules", "--end-of-options", self.location,
                f"{wanted}:{READ_REF}",
            )  # fmt: skip
        except GitFailedError as error:
            raise self._unreachable(error) from error
        commit = self._known(READ_REF)
        if commit is None:
            raise UnavailableError(f"source {self.name}: {wanted} was not fetched")
        return commit

    def _unreachable(self, error: GitFailedError) -> InvalidInputError | UnavailableError:
        said = str(error)
        if "couldn't find remote ref" in said or "does not appear to be a git" in said:
            return InvalidInputError(said.splitlines()[-1], where=f"source {self.name}")
        return UnavailableError(f"source {self.name}: {said}")

    def _known(self, ref: str) -> str | None:
        try:
            return self._git.run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").decode(
            ).strip()  # fmt: skip
        except GitFailedError:
            return None

    def _remote_commit(self, ref: str) -> str | None:
        try:
            out = self._git.run("ls-remote", "--end-of-options", self.location, ref).decode()
        except GitFailedError as error:
            raise self._unreachable(error) from error
        found = [line.split("\t") for line in out.splitlines()]
        return next((commit for commit, name in found if name == ref), None)

    def _default_branch(self) -> str:
        try:
            out = self._git.run("ls-remote", "--symref", "--end-of-options", self.location, "HEAD")
        except GitFailedError as error:
            raise self._unreachable(error) from error
        for line in out.decode().splitlines():
            if line.startswith("ref: refs/heads/"):
                return line.split("\t")[0].removeprefix("ref: refs/heads/")
        raise InvalidInputError(
            "the remote names no default branch; set branch in kb.toml", where=f"source {self.name}"
        )

    def _list(self, commit: str) -> dict[str, _Entry]:
        """Entries by path relative to the folder; submodules are none."""
        try:
            out = self._git.run("ls-tree", "-r", "-z", "-l", f"{commit}:{self.folder}")
        except GitFailedError as error:
            raise InvalidInputError(
                f"there is no folder {self.folder!r} on the branch", where=f"source {self.name}"
            ) from error
        found = {}
        for line in out.split(b"\0")[:-1]:
            facts, _, path = line.partition(b"\t")
            mode, kind, blob, size = facts.decode().split()
            if kind == "blob":
                found[path.decode("utf-8", "surrogateescape")] = _Entry(mode, blob, int(size))
        return found

    def _read_links(self, entries: dict[str, _Entry]) -> dict[str, str]:
        links = sorted(p for p, e in entries.items() if e.mode == LINK and e.size < 4096)
        targets = self._git.read_blobs([entries[path].blob for path in links])
        return {
            path: raw.decode("utf-8", "surrogateescape")
            for path, raw in zip(links, targets, strict=True)
        }

    def _read_file(self, commit: str, path: str) -> bytes | None:
        entry = self._list(commit).get(path)
        if entry is None:
            return None
        if entry.mode == LINK or entry.size > MAX_FILE_BYTES:
            raise ConflictError(f"{path} is a link or too large to be written", path=path)
        return self._git.read_blobs([entry.blob])[0]

    def _commit(self, head: str, change: SourceChange) -> str:
        """A commit of the change on top of `head`, in the mirror only.

        Raises:
            StaleError: The file at `head` is not what the change was made from.
        """
        if self._read_file(head, change.path) != change.base:
            raise StaleError(
                f"{change.path} was changed in its repository; sync the source first",
                path=change.path, commit=head,
            )  # fmt: skip
        index = {"GIT_INDEX_FILE": str(self.mirror / "kbops.index")}
        path = posixpath.join(self.folder, change.path)
        self._git.run("read-tree", head, environment=index)
        if change.content is None:
            line = f"0 {'0' * len(head)}\t{path}\0"
        else:
            blob = self._git.run("hash-object", "-w", "--stdin", given=change.content)
            line = f"{self._mode(head, change.path)} {blob.decode().strip()}\t{path}\0"
        self._git.run("update-index", "-z", "--index-info", given=line.encode(), environment=index)
        tree = self._git.run("write-tree", environment=index).decode().strip()
        made = self._git.run(
            "commit-tree", tree, "-p", head, "-F", "-",
            given=_message(change).encode(), environment=self._signature(change),
        )  # fmt: skip
        return made.decode().strip()

    def _mode(self, head: str, path: str) -> str:
        entry = self._list(head).get(path)
        return entry.mode if entry is not None else FILE

    def _signature(self, change: SourceChange) -> dict[str, str]:
        at = f"{int(change.at.astimezone(UTC).timestamp())} +0000"
        return {
            "GIT_AUTHOR_NAME": change.author_name, "GIT_AUTHOR_EMAIL": change.author_email,
            "GIT_AUTHOR_DATE": at, "GIT_COMMITTER_NAME": COMMITTER,
            "GIT_COMMITTER_EMAIL": "kbops@localhost", "GIT_COMMITTER_DATE": at,
        }  # fmt: skip

    def _push(self, commit: str, branch: str, expected: str | None) -> bool:
        """Whether the remote took it; it does only where the branch is still at `expected`."""
        ref = f"refs/heads/{branch}"
        try:
            self._git.run(
                "push", "--quiet", "--no-verify", "--recurse-submodules=no",
                f"--force-with-lease={ref}:{expected or ''}", "--end-of-options", self.location,
                f"{commit}:{ref}",
            )  # fmt: skip
        except GitFailedError as error:
            if self._remote_commit(ref) != expected:
                return False
            raise UnavailableError(f"source {self.name}: {error}") from error
        return True


def _choose_files(
    entries: dict[str, _Entry], links: dict[str, str]
) -> tuple[dict[str, str], list[tuple[str, InvalidInputError]]]:
    """Blob by path of what is to be read, and what is refused."""
    found: dict[str, str] = {}
    refused: list[tuple[str, InvalidInputError]] = []
    for path, entry in entries.items():
        if any(part.startswith(".") for part in path.split("/")) or not path.endswith(SUFFIX):
            continue
        try:
            check_path(path)
            file = _follow(path, links[path], entries) if path in links else entry
            if file.size > MAX_FILE_BYTES:
                raise _refusal(f"the file has {file.size} bytes", path)
            found[path] = file.blob
        except InvalidInputError as error:
            shown = path.encode("utf-8", "replace").decode()
            refused.append((shown, _refusal(error.reason, shown)))
    return found, refused


def _follow(path: str, target: str, entries: dict[str, _Entry]) -> _Entry:
    leads_to = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if target.startswith("/") or leads_to.split("/")[0] == "..":
        raise _refusal("a link that leads out of the folder", path)
    entry = entries.get(leads_to)
    if entry is None or entry.mode == LINK:
        raise _refusal("a link that leads nowhere", path)
    return entry


def _refusal(reason: str, path: str) -> InvalidInputError:
    return InvalidInputError(reason, where=path, path=path)


def _message(change: SourceChange) -> str:
    return (
        f"{_line(change.subject)}\n\n{_line(change.why)}\n\nGap: {change.gap_id}\n"
        f"Draft: {change.draft_id}\nEvidence: {_line(change.evidence_url)}\n"
    )


def _line(text: str) -> str:
    """One line: a title must not forge the lines that follow it."""
    return " ".join(text.split())
