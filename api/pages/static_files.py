"""The stylesheet: the only file the pages load."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse

from api.pages.layout import STYLESHEET

router = APIRouter(include_in_schema=False)


@router.get("/static/kbops.css")
def serve_stylesheet() -> FileResponse:
    return FileResponse(
        STYLESHEET,
        media_type="text/css; charset=utf-8",
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )
