"""Every page that only looks: gallery, garment, look, talents, withdrawals, receipts, dead letters."""

from collections import defaultdict
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from console.web import views
from console.web.app import Pages
from schemas.base import FORMATS
from tasks.errors import NotFound
from tasks.receipts import verify_receipt

router = APIRouter()


def _pages(request: Request) -> Pages:
    return cast(Pages, request.app.state.pages)


@router.get("/")
async def gallery(request: Request) -> Response:
    pages = _pages(request)
    ledger, gate = pages.services.ledger, pages.services.gate_url
    names = views.names_of(await ledger.twins(available=False))
    assets, cells = defaultdict(list), defaultdict(list)
    for asset in await ledger.assets(state="PUBLISHED", limit=5000):
        assets[asset.sku].append(asset)
    for cell in await ledger.cells():
        cells[cell["sku"]].append(cell)
    garments = [views.garment_strip(gate, g, assets[g.sku], cells[g.sku], names) for g in await ledger.garments()]
    counts = await ledger.counts()
    shown = [(label, counts.get(key, 0)) for key, label in COUNTS]
    return pages.page(request, "gallery.html", "/", garments=garments, counts=shown)


COUNTS = (
    ("published", "live assets"),
    ("garments", "garments"),
    ("twins", "twins"),
    ("blocked", "cells blocked by consent"),
    ("rejected", "images rejected by checks"),
    ("revoked", "assets taken down"),
    ("inbox_open", "garments in work"),
    ("dead_letters", "dead letters"),
)


@router.get("/garments/{sku}")
async def garment(request: Request, sku: str, format: str = "") -> Response:
    pages = _pages(request)
    ledger, gate = pages.services.ledger, pages.services.gate_url
    where = await ledger.where(sku)
    found = await ledger.garment(sku)
    if found is None:
        raise NotFound(f"No garment {sku!r} has come in.")
    cells = where["cells"]
    names = views.names_of(await ledger.twins(available=False))
    made = {cell["format"] for cell in cells}
    formats = [name for name in FORMATS if name in made] or list(found.formats)
    chosen = format if format in formats else formats[0]
    scenes = [scene for scene in await ledger.scenes() if scene.market in found.markets]
    failure = next((row["error"] for row in where["inbox"] if row["state"] == "failed" and row["error"]), None)
    rows = views.matrix(gate, cells, scenes, names, chosen)
    return pages.page(
        request, "garment.html", "/", garment=found, rows=rows, scenes=scenes, formats=formats, format=chosen,
        failure=failure,
    )  # fmt: skip


@router.get("/looks/{sku}/{twin_id}/{scene}/{format}")
async def look(request: Request, sku: str, twin_id: str, scene: str, format: str) -> Response:
    pages = _pages(request)
    ledger, gate = pages.services.ledger, pages.services.gate_url
    point = (twin_id, scene, format)
    cell = next((c for c in await ledger.cells(sku) if (c["twin_id"], c["scene"], c["format"]) == point), None)
    if cell is None:
        raise NotFound(f"No cell {sku} x {twin_id} x {scene} x {format} was ever planned.")
    asset = await ledger.asset(cell["asset_id"]) if cell["asset_id"] else None
    garment = await ledger.garment(sku)
    names = views.names_of(await ledger.twins(available=False))
    live = cell["state"] == "PUBLISHED"
    checks = views.check_rows(asset.checks, asset.measures) if asset else []
    if cell["rejection"] and not asset:
        rejection = cell["rejection"]
        checks = views.check_rows(rejection.get("checks", rejection), rejection.get("measures", {}))
    return pages.page(
        request, "look.html", "/", sku=sku, title=garment.title if garment else sku, talent_id=cell["talent_id"],
        twin_name=names.get(twin_id, twin_id), scene=scene, format=format, state=cell["state"], asset=asset,
        image=f"{gate}/assets/{asset.asset_id}" if asset and live else None, look_link=gate + str(request.url.path),
        why=views.why(cell), alternative=cell["alternative"], decision=cell["decision"], checks=checks,
        recipe=sorted(asset.recipe.items()) if asset else None,
    )  # fmt: skip


@router.get("/talents")
async def talents(request: Request) -> Response:
    pages = _pages(request)
    return pages.page(request, "talents.html", "/talents", talents=await pages.services.ledger.talents())


@router.get("/talents/{talent_id}")
async def talent(request: Request, talent_id: str) -> Response:
    pages = _pages(request)
    ledger, gate = pages.services.ledger, pages.services.gate_url
    found = await ledger.talent(talent_id)
    if found is None:
        raise NotFound(f"No talent {talent_id!r} is known.")
    view = await ledger.view(talent_id)
    status = {grant.grant_id: grant for grant in view.grants}
    names = views.names_of(await ledger.twins(available=False))
    grants = [views.grant_card(grant, status.get(grant.grant_id)) for grant in await ledger.grants(talent_id)]
    live = await ledger.assets(talent_id=talent_id, state="PUBLISHED", limit=1000)
    return pages.page(
        request, "talent.html", "/talents", talent=found, grants=grants,
        live=[views.thumb(gate, asset, names) for asset in live], withdrawals=await ledger.withdrawals(talent_id),
    )  # fmt: skip


@router.get("/talents/{talent_id}/withdraw")
async def preview(request: Request, talent_id: str, effect: str = "take_down", grant: str = "") -> Response:
    pages = _pages(request)
    ledger, gate = pages.services.ledger, pages.services.gate_url
    if await ledger.talent(talent_id) is None:
        raise NotFound(f"No talent {talent_id!r} is known.")
    if effect not in ("stop_new", "run_off", "take_down"):
        raise NotFound(f"No effect {effect!r}; it is stop_new, run_off or take_down.")
    would = await ledger.preview_withdrawal(talent_id, grant or None, effect)
    live = {asset.asset_id: asset for asset in await ledger.assets(talent_id=talent_id, limit=5000)}
    cards = [views.thumb(gate, live[asset_id], {}) for asset_id in would.take_down if asset_id in live]
    return pages.page(
        request, "withdraw.html", "/talents", talent_id=talent_id, grant=grant, effect=would.effect, take_down=cards,
        run_off=would.run_off, stays=would.stays, stops=would.stops,
        here=f"{request.url.path}?{request.url.query}",
    )  # fmt: skip


@router.get("/withdrawals")
async def withdrawals(request: Request) -> Response:
    pages = _pages(request)
    rows = await pages.services.ledger.withdrawals()
    return pages.page(request, "withdrawals.html", "/withdrawals", withdrawals=rows)


async def _withdrawal(request: Request, withdrawal_id: str) -> dict[str, Any]:
    found = await _pages(request).services.ledger.withdrawal(withdrawal_id)
    if found is None:
        raise NotFound(f"No withdrawal {withdrawal_id!r}.")
    return cast(dict[str, Any], found)


@router.get("/withdrawals/{withdrawal_id}")
async def withdrawal(request: Request, withdrawal_id: str) -> Response:
    found = await _withdrawal(request, withdrawal_id)
    return _pages(request).page(request, "withdrawal.html", "/withdrawals", w=found, receipt=found["receipt"])


@router.get("/api/withdrawals/{withdrawal_id}")
async def withdrawal_progress(request: Request, withdrawal_id: str) -> Response:
    found = await _withdrawal(request, withdrawal_id)
    return JSONResponse({name: found[name] for name in ("status", "total", "done", "open")})


@router.get("/withdrawals/{withdrawal_id}/receipt.jws")
async def receipt_file(request: Request, withdrawal_id: str) -> Response:
    found = await _withdrawal(request, withdrawal_id)
    if not found["receipt"]:
        raise NotFound("The withdrawal is not complete: there is no receipt yet.")
    return Response(
        found["receipt"],
        media_type="application/jose",
        headers={"Content-Disposition": f'attachment; filename="{withdrawal_id}.jws"'},
    )


@router.get("/receipt-key.json")
async def receipt_key(request: Request) -> Response:
    return JSONResponse(_pages(request).services.receipt_key)


@router.get("/withdrawals/{withdrawal_id}/receipt")
async def receipt_page(request: Request, withdrawal_id: str) -> Response:
    pages = _pages(request)
    found = await _withdrawal(request, withdrawal_id)
    if not found["receipt"]:
        raise NotFound("The withdrawal is not complete: there is no receipt yet.")
    verdict = verify_receipt(found["receipt"], pages.services.receipt_key)
    payload = dict(verdict.payload or {})
    targets = payload.pop("targets", [])
    facts = [(name, value) for name, value in payload.items() if not isinstance(value, dict | list)]
    columns = list(targets[0]) if targets else []
    return pages.page(
        request, "receipt.html", "/withdrawals", withdrawal_id=withdrawal_id, valid=verdict.valid,
        key_id=pages.services.receipt_key.get("kid", ""), facts=facts, targets=targets, columns=columns,
    )  # fmt: skip


@router.get("/dead-letters")
async def dead_letters(request: Request) -> Response:
    pages = _pages(request)
    rows = await pages.services.ledger.dead_letters()
    return pages.page(request, "dead_letters.html", "/dead-letters", letters=rows)
