"""The files the pages load: stylesheets, the icon of the tab and one script."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse

from api.pages.layout import STYLESHEET
from kb.errors import NotFoundError

SHEETS = {sheet.name: sheet for sheet in STYLESHEET.parent.glob("*.css")}
ICON = STYLESHEET.with_name("kbops.svg")
SCRIPT = STYLESHEET.with_name("preview.js")
FOR_A_YEAR = {"Cache-Control": "public, max-age=31536000, immutable"}

router = APIRouter(prefix="/static", include_in_schema=False)


@router.get("/{name}.css")
def serve_stylesheet(name: str) -> FileResponse:
    """May be kept for a year: the pages name it with a digest of its text."""
    sheet = SHEETS.get(f"{name}.css")
    if sheet is None:
        raise NotFoundError("stylesheet", name)
    return FileResponse(
        sheet,
        media_type="text/css; charset=utf-8",
        headers=FOR_A_YEAR,
    )


@router.get("/preview.js")
def serve_script() -> FileResponse:
    """The one script there is: it previews an edited draft while it is typed."""
    return FileResponse(SCRIPT, media_type="text/javascript; charset=utf-8", headers=FOR_A_YEAR)


@router.get("/kbops.svg")
def serve_icon() -> FileResponse:
    return FileResponse(
        ICON, media_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"}
    )
