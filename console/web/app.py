"""The console as a FastAPI application: middleware that guards it, templates, and the routes of the pages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException

from console.auth import SESSION_COOKIE, OperatorSessions, is_loopback_host_header
from tasks.errors import LikenessError, NotFound, NotPermitted, TransientError

if TYPE_CHECKING:
    from infra.postgres.ledger import PostgresLedger

HERE = Path(__file__).parent
Opener = Callable[[], AbstractAsyncContextManager["ConsoleServices"]]


@dataclass(frozen=True)
class ConsoleServices:
    """All that the pages need; made by `console.web.__main__` and by tests."""

    ledger: "PostgresLedger"
    sessions: OperatorSessions
    gate_url: str
    prefect_url: str
    receipt_key: dict[str, Any]
    reports: Path | None = None
    """Folder of the newest report of the checks."""


def _instant(value: object) -> str:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.strftime("%-d %b %Y, %H:%M:%S UTC") if isinstance(value, datetime) else "–"


def _templates() -> Jinja2Templates:
    environment = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)
    environment.filters["instant"] = _instant
    return Jinja2Templates(env=environment)


class Pages:
    """Renders a template with what every page shows: who is signed in, the CSRF token, the links."""

    def __init__(self, services: ConsoleServices) -> None:
        self.services = services
        self._templates = _templates()

    def page(self, request: Request, name: str, section: str, status: int = 200, **context: Any) -> HTMLResponse:
        cookie = request.cookies.get(SESSION_COOKIE)
        operator = self.services.sessions.is_session(cookie)
        context |= {
            "section": section,
            "operator": operator,
            "csrf": self.services.sessions.csrf(cookie) if operator and cookie else "",
            "prefect_url": self.services.prefect_url,
        }
        return self._templates.TemplateResponse(request, name, context, status_code=status)

    def message(self, request: Request, status: int, heading: str, text: str) -> HTMLResponse:
        return self.page(request, "message.html", "", status, heading=heading, message=text)


def create_app(
    services: ConsoleServices | None = None,
    opener: Opener | None = None,
) -> FastAPI:
    """The application over given services (tests), or over those that `opener` opens at start and closes at end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if opener is None:
            yield
            return
        async with opener() as opened:
            app.state.pages = Pages(opened)
            yield

    app = FastAPI(title="Likeness console", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    if services is not None:
        app.state.pages = Pages(services)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.middleware("http")(_guard)
    app.exception_handler(LikenessError)(_explain)
    app.exception_handler(RequestValidationError)(_incomplete)
    app.exception_handler(HTTPException)(_no_such_page)
    from console.web import changes, pages

    app.include_router(pages.router)
    app.include_router(changes.router)
    return app


async def _guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    if not is_loopback_host_header(request.headers.get("host", "")):
        return PlainTextResponse("This console answers to this machine's own names only.", status_code=421)
    response = await call_next(request)
    gate = request.app.state.pages.services.gate_url
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; img-src 'self' data: {gate}; style-src 'self'; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    if request.url.path.startswith("/reports/"):  # pages of Great Expectations, their styles within, no scripts
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
        )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store" if not request.url.path.startswith("/static/") else "max-age=3600"
    return response


async def _explain(request: Request, error: Exception) -> Response:
    assert isinstance(error, LikenessError)  # registered for this class only
    pages: Pages = request.app.state.pages
    if isinstance(error, NotFound):
        return pages.message(request, 404, "Not found", error.message)
    if isinstance(error, TransientError):
        return pages.message(request, 503, "Try again in a moment", error.message)
    if isinstance(error, NotPermitted):
        return pages.message(request, 403, "Not permitted", error.message)
    return pages.message(request, 409, "That could not be done", error.message)


async def _incomplete(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # registered for this class only
    fields = ", ".join(sorted({str(each["loc"][-1]) for each in error.errors()}))
    pages: Pages = request.app.state.pages
    return pages.message(request, 422, "Something is missing", f"The form came without a usable {fields}.")


async def _no_such_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # registered for this class only
    pages: Pages = request.app.state.pages
    return pages.message(request, error.status_code, error.detail, f"There is nothing at {request.url.path}.")


def see_other(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303)
