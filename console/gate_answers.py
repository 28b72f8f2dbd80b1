"""What the gate says when it shows no image: plain pages, the same as JSON, and the public status of an asset."""

from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from tasks.mark import source_type
from tasks.ports import ServeRow
from tasks.serve import Gone, ServeLimits, judge

Refusal = Literal["gone", "missing", "preview_only", "unavailable"]

_REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    "gone": (
        410,
        "This image is no longer shown",
        "It was made with the digital twin of a real person. The permission to show it has ended, or it was replaced. "
        "Please remove any copy that you hold.",
    ),
    "missing": (404, "There is no such image", "Nothing was ever published under this address."),
    "preview_only": (
        403,
        "This image is a preview",
        "It shows a garment that does not exist yet and is only for people who are signed in to the console.",
    ),
    "unavailable": (
        503,
        "This image cannot be shown right now",
        "Whether it may be shown could not be established, so it is not. Please try again in a moment.",
    ),
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:18px/1.5 system-ui,sans-serif;max-width:36rem;margin:20vh auto;padding:0 1rem;color:#222}}</style>
<h1>{title}</h1><p>{text}</p></html>
"""


def explain(refusal: Refusal, request: Request) -> Response:
    """A page for people, JSON for everyone else; never cached."""
    status, title, text = _REFUSALS[refusal]
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", "vary": "accept"}
    if refusal == "unavailable":
        headers["retry-after"] = "1"
    if "text/html" in request.headers.get("accept", ""):
        headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        return HTMLResponse(_PAGE.format(title=title, text=text), status, headers)
    return JSONResponse({"status": status, "code": refusal, "title": title, "detail": text}, status, headers)


def status_of(row: ServeRow, asset_id: str, limits: ServeLimits) -> dict[str, Any] | None:
    """Public facts about one asset; None when it was never published."""
    asset = row.asset
    if asset is None or asset.published_at is None:
        return None
    answer = judge(row, asset_id, limits)
    not_permitted = isinstance(answer, Gone) and answer.because == "not_permitted"
    return {
        "asset_id": asset_id,
        "state": "REVOKING" if not_permitted else asset.state,
        "shown": answer is asset,
        "labelled_synthetic": True,
        "digital_source_type": source_type(str(asset.recipe.get("generator", ""))),
        "c2pa": True,
        "phash": asset.phash,
        "sha256": asset.sha256,
        "published_at": asset.published_at.isoformat(),
        "revoked_at": None if asset.revoked_at is None else asset.revoked_at.isoformat(),
    }
