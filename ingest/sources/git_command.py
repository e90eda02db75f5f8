"""The `git` program, run so that nothing a repository holds can act; the one file that starts it.

A bare mirror is read and written by object: no working tree exists, so no checkout filter, hook,
link or submodule of the repository is ever followed. Neither the machine's nor the user's git
settings count; credentials come from the ssh agent or `GIT_ASKPASS`.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kb.errors import InvalidInputError, UnavailableError

PROTOCOLS = ("file", "https", "ssh")
PASSED_ON = ("PATH", "HOME", "SSH_AUTH_SOCK", "GIT_ASKPASS", "SSL_CERT_FILE", "SSL_CERT_DIR")
SAFE = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.attributesFile=/dev/null",
    "submodule.recurse=false", "fetch.recurseSubmodules=false", "gc.auto=0",
    "maintenance.auto=false", "commit.gpgSign=false", "push.gpgSign=false",
    "credential.helper=", "http.followRedirects=false", "protocol.allow=never",
)  # fmt: skip
SHOWN_ERROR = 300
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_SCP = re.compile(r"[A-Za-z0-9_.][\w.-]*@[A-Za-z0-9][\w.-]*:[^:]")
_SECRET = re.compile(r"(://)[^/@\s]+@")


class GitFailedError(Exception):
    """git ended with an error; the message is its own, without credentials."""


def protocol_of(location: str) -> str:
    """The protocol a location is reached by: file, https or ssh.

    Raises:
        InvalidInputError: Another one, or something git would take for an option or a program.
    """
    if location.startswith("-") or "::" in location or not location.isprintable():
        raise InvalidInputError(f"{hide_secrets(location)!r} is no git location", where="location")
    found = _URL.match(location)
    if found is None:
        return "ssh" if _SCP.match(location) else "file"
    scheme = found["scheme"].lower()
    host = location[found.end() :].rpartition("@")[2]
    if scheme not in PROTOCOLS or host.startswith("-"):
        raise InvalidInputError(
            f"{hide_secrets(location)!r} is not reached by one of: {', '.join(PROTOCOLS)}",
            where="location",
        )
    return scheme


def hide_secrets(text: str) -> str:
    """Without the user and password of any address."""
    return _SECRET.sub(r"\1", text)


@dataclass(frozen=True)
class GitCommand:
    """git on one bare mirror."""

    mirror: Path
    protocols: tuple[str, ...] = PROTOCOLS
    """Those it may reach a remote by."""
    timeout_seconds: int = 60

    def run(
        self,
        *arguments: str,
        given: bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run a command and give what it printed.

        Raises:
            GitFailedError: It ended with an error.
            UnavailableError: It took too long, or git is not installed.
        """
        allowed = [f"protocol.{name}.allow=always" for name in self.protocols]
        settings = [part for said in (*SAFE, *allowed) for part in ("-c", said)]
        try:
            done = subprocess.run(
                ["git", *settings, "--git-dir", str(self.mirror), *arguments],
                input=given if given is not None else b"",
                capture_output=True,
                timeout=self.timeout_seconds,
                env=self._environment() | dict(environment or {}),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(
                f"git {arguments[0]} took longer than {self.timeout_seconds} seconds"
            ) from error
        except FileNotFoundError as error:
            raise UnavailableError("git is not installed", retryable=False) from error
        if done.returncode != 0:
            said = hide_secrets(done.stderr.decode(errors="replace").strip())
            raise GitFailedError(said[-SHOWN_ERROR:] or f"git {arguments[0]} failed")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return kept | {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": ":".join(self.protocols),
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "LC_ALL": "C",
        }

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the mirror: one fetch or push at a time, among threads and processes."""
        self.mirror.parent.mkdir(parents=True, exist_ok=True)
        with self.mirror.with_name(f"{self.mirror.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def prepare(self) -> None:
        """Make the mirror where there is none; made again, nothing changes."""
        if not (self.mirror / "HEAD").exists():
            self.run("init", "--quiet", "--bare", "--template=", str(self.mirror))

    def read_blobs(self, hashes: Sequence[str]) -> list[bytes]:
        """Contents by object name, in order.

        Raises:
            GitFailedError: One is missing.
        """
        if not hashes:
            return []
        asked = "".join(f"{name}\n" for name in hashes).encode()
        out, place, found = self.run("cat-file", "--batch", given=asked), 0, []
        for name in hashes:
            end = out.index(b"\n", place)
            said = out[place:end].split()
            if len(said) != 3 or said[1] != b"blob":
                raise GitFailedError(f"object {name} is not there")
            size = int(said[2])
            found.append(out[end + 1 : end + 1 + size])
            place = end + 2 + size
        return found
