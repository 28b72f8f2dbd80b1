"""Every change that the console makes: sign in and out, withdraw, release. Each needs the operator and a CSRF token."""

from typing import Annotated, cast

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from console.auth import SESSION_COOKIE
from console.web.app import Pages, see_other
from schemas.consent import Effect
from tasks.errors import NotFound, NotPermitted

router = APIRouter()


def require_operator(request: Request, csrf: str) -> None:
    """Raises NotPermitted without a valid session and its own CSRF token."""
    sessions = cast(Pages, request.app.state.pages).services.sessions
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie is None or not sessions.is_session(cookie):
        raise NotPermitted("Sign in as operator first.", code="not_signed_in")
    if not sessions.is_csrf(cookie, csrf):
        raise NotPermitted("This form has expired or came from elsewhere; open the page again.", code="csrf")


def _local(path: str) -> str:
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


@router.get("/login")
async def login_form(request: Request, next: str = "/") -> Response:
    pages: Pages = request.app.state.pages
    return pages.page(request, "login.html", "", next=_local(next), wrong=False)


@router.post("/login")
async def login(request: Request, token: Annotated[str, Form()], next: Annotated[str, Form()] = "/") -> Response:
    pages: Pages = request.app.state.pages
    if not pages.services.sessions.is_token(token):
        return pages.page(request, "login.html", "", 403, next=_local(next), wrong=True)
    answer = see_other(_local(next))
    answer.set_cookie(SESSION_COOKIE, pages.services.sessions.begin(), httponly=True, samesite="strict", path="/")
    return answer


@router.post("/logout")
async def logout(request: Request, csrf: Annotated[str, Form()]) -> Response:
    require_operator(request, csrf)
    answer = see_other("/")
    answer.delete_cookie(SESSION_COOKIE, path="/")
    return answer


@router.post("/talents/{talent_id}/withdraw")
async def withdraw(
    request: Request,
    talent_id: str,
    csrf: Annotated[str, Form()],
    effect: Annotated[Effect, Form()],
    reason: Annotated[str, Form(min_length=1, max_length=500)],
    grant: Annotated[str, Form()] = "",
) -> Response:
    require_operator(request, csrf)
    ledger = cast(Pages, request.app.state.pages).services.ledger
    if await ledger.talent(talent_id) is None:
        raise NotFound(f"No talent {talent_id!r} is known.")
    outcome = await ledger.withdraw(talent_id, grant or None, effect, reason, by="operator", effective_at=None)
    return see_other(f"/withdrawals/{outcome.withdrawal_id}" if outcome.withdrawal_id else f"/talents/{talent_id}")


@router.post("/talents/{talent_id}/release")
async def release(
    request: Request,
    talent_id: str,
    csrf: Annotated[str, Form()],
    reason: Annotated[str, Form(min_length=1, max_length=500)],
) -> Response:
    require_operator(request, csrf)
    ledger = cast(Pages, request.app.state.pages).services.ledger
    await ledger.release(talent_id, by="operator", reason=reason)
    return see_other(f"/talents/{talent_id}")
