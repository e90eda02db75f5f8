from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.wiring import Application
from tests.api.pages.factories import Browser, make_application


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[Application]:
    application = make_application(tmp_path / "kb")
    yield application
    application.close()


@pytest.fixture
def app(kb: Application) -> FastAPI:
    return create_app(kb)


@pytest.fixture
def open_browser(app: FastAPI) -> Callable[..., Browser]:
    """A browser of its own, with its own cookies."""

    def open_one(base_url: str = "http://testserver") -> Browser:
        return Browser(TestClient(app, base_url=base_url))

    return open_one


@pytest.fixture
def browser(open_browser: Callable[..., Browser]) -> Browser:
    return open_browser()
