"""What makes the first caller wait, done before there is one."""

from __future__ import annotations

import sys
import threading

from api.wiring import Application
from kb.errors import KbError
from kb.types import Audience, SearchRequest


def warm_up(application: Application) -> threading.Thread:
    """Load the encoder and open the index, in a thread of its own; says on stderr what is away."""

    def search() -> None:
        try:
            application.retriever.search(SearchRequest("warm-up", top_k=1), Audience.PUBLIC)
        except KbError as error:
            sys.stderr.write(f"kb: warm-up: {error.message}\n")

    thread = threading.Thread(target=search, name="warm-up", daemon=True)
    thread.start()
    return thread
