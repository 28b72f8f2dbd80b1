"""The gate: the only way a stored image reaches anyone. `python -m console.gate`.

Every request reads the bytes, checks them, and then decides on the primary; a long send is decided again as it goes on.
No answer is ever kept here, and whatever cannot be decided is 503, never the image.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from console.gate_access import AccessLog, reader_of
from console.gate_answers import explain, status_of
from infra.bootstrap.core import open_core
from infra.settings import Settings
from schemas.base import FORMATS
from tasks.errors import TransientError
from tasks.ports import GateLedger, Store
from tasks.serve import Answer, Gone, Missing, Places, PreviewOnly, Served, ServeLimits, serve, still_served

log = logging.getLogger(__name__)

FRESH_SECONDS = 0.1
"""A decision older than this is made again before the next piece of the image is sent."""
PIECE = 64 * 1024
_IMAGE_HEADERS = {
    "cache-control": "private, no-cache",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",
}


@dataclass
class Gate:
    """What the routes work with; one per process."""

    ledger: GateLedger
    store: Store
    access: AccessLog
    limits: ServeLimits = field(default_factory=ServeLimits)
    send_seconds: float = 10.0
    places: Places = field(default_factory=Places)

    async def answer(self, asset_id: str) -> Answer:
        return await serve(asset_id, self.ledger, self.store, self.limits, self.places)


class Sending:
    """The image as an ASGI response: in pieces, within the send limit, each under a decision that is still fresh."""

    def __init__(self, served: Served, gate: Gate) -> None:
        self._served, self._gate = served, gate
        self._asked_at = served.asked_at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not await self._permitted():
            await explain("unavailable", Request(scope))(scope, receive, send)
            return
        asset, data = self._served.asset, self._served.data
        headers = {**_IMAGE_HEADERS, "content-type": asset.content_type, "content-length": str(len(data))}
        headers["etag"] = f'"{asset.sha256}"'
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            async with asyncio.timeout(self._gate.send_seconds):
                await send({"type": "http.response.start", "status": 200, "headers": raw})
                for at in range(0, len(data), PIECE):
                    if not await self._permitted():
                        log.info("asset %s: permission ended while it was being sent; cut off", asset.asset_id)
                        return  # an unfinished body makes the server close the connection
                    more = at + PIECE < len(data)
                    await send({"type": "http.response.body", "body": data[at : at + PIECE], "more_body": more})
        except TimeoutError:
            log.info("asset %s: the reader took longer than the send limit; cut off", asset.asset_id)

    async def _permitted(self) -> bool:
        """The decision, made again when it is no longer fresh."""
        if time.monotonic() - self._asked_at <= FRESH_SECONDS:
            return True
        self._asked_at = time.monotonic()
        return await still_served(self._served, self._gate.ledger, self._gate.limits)


async def asset(request: Request) -> Any:
    """The image; 410 with an explanation when it may not be shown any more; 404, 403; 503 when that cannot be told."""
    gate, asset_id = _gate(request), request.path_params["asset_id"]
    answer = await gate.answer(asset_id)
    outcome, response = _respond(answer, request, gate)
    gate.access.note(asset_id, outcome, reader_of(request))
    return response


def _respond(answer: Answer, request: Request, gate: Gate) -> tuple[str, Any]:
    if isinstance(answer, Served):
        tag = f'"{answer.asset.sha256}"'
        if tag in request.headers.get("if-none-match", ""):
            return "not_modified", Response(status_code=304, headers={**_IMAGE_HEADERS, "etag": tag})
        return "served", Sending(answer, gate)
    if isinstance(answer, Gone):
        return "gone", explain("gone", request)
    if isinstance(answer, Missing):
        return "missing", explain("missing", request)
    if isinstance(answer, PreviewOnly):
        return "preview_only", explain("preview_only", request)
    return f"unavailable:{answer.because}", explain("unavailable", request)


async def asset_status(request: Request) -> Response:
    """What anyone who holds a copy may know of it: state, label, dates; nothing about a person."""
    gate, asset_id = _gate(request), request.path_params["asset_id"]
    try:
        status = status_of(await gate.ledger.serve_row(asset_id), asset_id, gate.limits)
    except TransientError:
        return explain("unavailable", request)
    if status is None:
        return explain("missing", request)
    return JSONResponse(status, headers={"cache-control": "no-store"})


async def find_copies(request: Request) -> Response:
    """Status of the assets that look like the copy whose perceptual hash (hex, 64 bit) is given, nearest first."""
    gate, phash = _gate(request), request.query_params.get("phash", "").lower()
    if len(phash) != 16 or not set(phash) <= set("0123456789abcdef"):
        return JSONResponse({"error": "phash: 16 hexadecimal digits"}, status_code=400)
    try:
        near = (await gate.ledger.find_by_phash(phash))[:20]
        rows = [(status_of(await gate.ledger.serve_row(found), found, gate.limits), far) for found, far in near]
    except TransientError:
        return explain("unavailable", request)
    known = [{**status, "distance": far} for status, far in rows if status is not None]
    return JSONResponse({"phash": phash, "assets": known}, headers={"cache-control": "no-store"})


async def look(request: Request) -> Response:
    """The stable address of whatever is current: on to the asset, which decides for itself."""
    at = request.path_params
    shape = at["format"].replace("x", ":")
    if shape not in FORMATS:
        return explain("missing", request)
    try:
        current = await _gate(request).ledger.current_look(at["sku"], at["twin"], at["scene"], shape)
    except TransientError:
        return explain("unavailable", request)
    if current is None:
        return explain("missing", request)
    return RedirectResponse(f"/assets/{current}", 302, headers={"cache-control": "no-store"})


async def health(request: Request) -> Response:
    """200 while images can be served: the ledger answers and consent is current."""
    gate = _gate(request)
    try:
        row = await gate.ledger.serve_row("health")
    except TransientError:
        return JSONResponse({"status": "closed", "because": "ledger"}, 503)
    if row.consent_current_as_of is None:
        return JSONResponse({"status": "closed", "because": "consent_never_read"}, 503)
    age = row.at - row.consent_current_as_of
    fresh = age <= gate.limits.consent_freshness
    content = {"status": "open" if fresh else "closed", "consent_age_seconds": round(age.total_seconds(), 3)}
    return JSONResponse(content, 200 if fresh else 503, headers={"cache-control": "no-store"})


async def closed(request: Request, error: Exception) -> Response:
    """Whatever nobody foresaw shuts the gate like everything else; the server logs it with its traceback."""
    return explain("unavailable", request)


def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate


def create_app(opener: Callable[[], AbstractAsyncContextManager[Gate]]) -> Starlette:
    """The ASGI app; `opener` gives its Gate for as long as the app runs."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with opener() as gate, gate.access.writing():
            app.state.gate = gate
            yield

    routes = [
        Route("/assets/{asset_id}", asset),
        Route("/assets/{asset_id}/status", asset_status),
        Route("/status", find_copies),
        Route("/looks/{sku}/{twin}/{scene}/{format}", look),
        Route("/health", health),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={Exception: closed})


def main() -> None:
    settings = Settings.load()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")

    @asynccontextmanager
    async def opener() -> AsyncIterator[Gate]:
        limits = ServeLimits(consent_freshness=timedelta(seconds=settings.limits.consent_freshness_seconds))
        async with open_core(settings) as core:
            yield Gate(core.ledger, core.store, AccessLog(core.ledger), limits, settings.limits.send_seconds)

    uvicorn.run(
        create_app(opener),
        host=settings.gate.host,
        port=settings.gate.port,
        log_level="warning",
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
