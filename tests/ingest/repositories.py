"""Real git repositories for tests, made with the git of this machine."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.sources.git import GitSource
from kb.types import Audience

PERSON = {
    "GIT_AUTHOR_NAME": "Somebody", "GIT_AUTHOR_EMAIL": "somebody@example.org",
    "GIT_COMMITTER_NAME": "Somebody", "GIT_COMMITTER_EMAIL": "somebody@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=os.environ | PERSON, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return done.stdout


def article(title: str, body: str) -> str:
    return f"---\ntitle: {title}\n---\n\n{body}\n"


@dataclass
class Remote:
    """A bare repository, and somebody else's clone of it."""

    bare: Path
    clone: Path

    def change(self, path: str, text: str | None, message: str = "somebody's change") -> str:
        """Somebody commits and pushes; returns the commit."""
        git(self.clone, "pull", "--quiet", "origin", "main")
        file = self.clone / path
        if text is None:
            git(self.clone, "rm", "--quiet", path)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--message", message)
        git(self.clone, "push", "--quiet", "origin", "HEAD:main")
        return self.head()

    def head(self, branch: str = "main") -> str:
        return git(self.bare, "rev-parse", branch).strip()

    def read(self, path: str, branch: str = "main") -> str:
        return git(self.bare, "show", f"{branch}:{path}")

    def branches(self) -> list[str]:
        return git(self.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    def count(self, branch: str = "main") -> int:
        return int(git(self.bare, "rev-list", "--count", branch))


def make_remote(folder: Path, files: dict[str, str]) -> Remote:
    """A bare repository whose branch main holds the files."""
    folder.mkdir(parents=True, exist_ok=True)
    remote = Remote(folder / "remote.git", folder / "clone")
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(remote.bare))
    git(folder, "init", "--quiet", "--initial-branch=main", str(remote.clone))
    git(remote.clone, "remote", "add", "origin", str(remote.bare))
    for path, text in files.items():
        file = remote.clone / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    git(remote.clone, "add", "--all")
    git(remote.clone, "commit", "--quiet", "--message", "first")
    git(remote.clone, "push", "--quiet", "origin", "HEAD:main")
    return remote


def make_source(remote: Remote, mirror: Path, **said: Any) -> GitSource:
    basics: dict[str, Any] = {
        "name": "wiki", "location": str(remote.bare), "mirror": mirror,
        "authority": "help_article", "audience": Audience.PUBLIC, "owner": "ana",
    }  # fmt: skip
    return GitSource(**{**basics, **said})
