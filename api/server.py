"""One server a data folder, from lock to listening."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from api.cli.session import config_path, open_application
from api.settings.environment import Environment
from api.settings.reading import read_settings
from kb.errors import ConflictError, KbError, UnavailableError

LOCK = "serve.lock"


@contextmanager
def hold_data_folder(folder: Path) -> Iterator[None]:
    """Hold the folder's server lock; the operating system lets go of it when the process ends.

    Raises:
        ConflictError: Another server holds it; says which process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    owner = folder / "serve.pid"
    try:
        lock.acquire()
    except Timeout:
        pid = owner.read_text().strip() if owner.exists() else "unknown"
        raise ConflictError(
            f"{folder} is served by another process already (pid {pid}); stop it first, or give "
            "this one a data folder of its own (KB_DATA_DIR)"
        ) from None
    try:
        owner.write_text(f"{os.getpid()}\n")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def read_data_folder() -> Path:
    """The data folder in force, read without loading what serving needs."""
    path = config_path()
    override = Environment().data_dir
    if override is not None:
        return override.resolve()
    return (path.parent / read_settings(path).storage.folder).resolve()


def run_server(host: str, port: int, *, schedule: bool = True) -> None:
    """Serve until stopped; the lock is taken before anything slow, so a second server ends at once.

    Raises:
        ConflictError: Another server holds the data folder.
        UnavailableError: The address cannot be listened on.
    """
    with hold_data_folder(read_data_folder()):
        listener = _listen(host, port)
        import uvicorn

        from api.app import create_app
        from api.scheduler import Scheduler
        from api.warming import warm_up

        with open_application(running_clock=True) as application:
            application.publishing.finish()
            try:
                application.refresh_index(actor="serve")
            except KbError as error:
                # Search is exact without it: slower, and right.
                sys.stderr.write(f"kb: the index is not rebuilt: {error.message}\n")
            scheduler = Scheduler(application) if schedule else None

            def on_start() -> None:
                warm_up(application)
                if scheduler is not None:
                    scheduler.start()

            app = create_app(application, on_start=on_start)
            address, bound = listener.getsockname()[:2]
            sys.stderr.write(f"kb: serving on http://{address}:{bound} (Ctrl-C stops)\n")
            sys.stderr.flush()
            config = uvicorn.Config(app, log_level="warning", access_log=False)
            try:
                uvicorn.Server(config).run(sockets=[listener])
            finally:
                if scheduler is not None:
                    scheduler.stop()


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=256)
    except OSError as error:
        raise UnavailableError(f"cannot listen on {host}:{port}: {error.strerror}") from error
