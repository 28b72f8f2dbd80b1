"""Every page that only looks: gallery, garment, look, talents, withdrawals, receipts, dead letters."""

from collections import defaultdict
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from console.web import views
from console.web.app import Pages
from schemas.asset import AssetRecord
from schemas.base import FORMATS
from schemas.consent import Effect
from tasks.errors import NotFound
from tasks.receipts import verify_receipt

router = APIRouter()
COUNTS = (
    ("published", "live assets"),
    ("garments", "garments"),
    ("twins", "twins"),
    ("blocked", "cells not permitted"),
    ("rejected", "cells that failed checks"),
    ("revoked", "assets taken down"),
    ("inbox_open", "events in work"),
    ("dead_letters", "dead letters"),
)


def _pages(request: Request) -> Pages:
    return cast(Pages, request.app.state.pages)


@router.get("/")
async def gallery(request: Request) -> Response:
    pages = _pages(request)
    ledger, gate = pages.services.ledger, pages.services.gate_url
    names = views.names_of(await ledger.twins(available=False))
    assets: dict[str, list[AssetRecord]] = defaultdict(list)
    cells: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for asset in await ledger.assets(state="PUBLISHED", limit=5000):
        assets[asset.sku].append(asset)
    for cell in await ledger.cells():
        cells[cell["sku"]].append(cell)
    garments = []
    for each in await ledger.garments():
        failure = None if cells[each.sku] else views.failure((await ledger.where(each.sku))["inbox"])
        garments.append(views.garment_strip(gate, each, assets[each.sku], cells[each.sku], names, failure))
    counts = await ledger.counts()
    shown = [(label, counts[key]) for key, label in COUNTS]
    return pages.page(request, "gallery.html", "/", garments=garments, counts=shown)


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
    planned = {cell["format"] for cell in cells}
    formats = [name for name in FORMATS if name in planned] or list(found.formats)
    chosen = format if format in formats else formats[0]
    scenes = [scene for scene in await ledger.scenes() if scene.market in found.markets]
    live = await ledger.assets(sku=sku, state="PUBLISHED", limit=5000)
    previews = {asset.asset_id for asset in live if asset.preview_only}
    rows = views.matrix(gate, cells, scenes, names, chosen, previews)
    return pages.page(
        request, "garment.html", "/", garment=found, rows=rows, scenes=scenes, formats=formats, format=chosen,
        failure=views.failure(where["inbox"]),
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
    titles = {each.scene: each.title for each in await ledger.scenes()}
    public = asset is not None and cell["state"] == "PUBLISHED" and not asset.preview_only
    return pages.page(
        request, "look.html", "/", sku=sku, title=garment.title if garment else sku, talent_id=cell["talent_id"],
        twin_name=names.get(twin_id, twin_id), scene=titles.get(scene, scene), format=format, state=cell["state"],
        asset=asset, image=f"{gate}/assets/{asset.asset_id}" if asset and public else None,
        look_link=gate + views.look_path(sku, *point), why=views.why(cell, preview=bool(asset and asset.preview_only)),
        alternative=cell["alternative"], decision=cell["decision"], checks=views.checks_of(cell, asset),
        recipe=views.recipe_rows(asset.recipe) if asset else None,
    )  # fmt: skip


@router.get("/talents")
async def talents(request: Request) -> Response:
    pages = _pages(request)
    return pages.page(request, "talents.html", "/talents", talents=await pages.services.ledger.talents())


@router.get("/talents/{talent_id}")
async def talent(request: Request, talent_id: str) -> Response:
    pages = _pages(request)
    ledger, gate = pages.services.ledger, pages.services.gate_url
    found = await _talent(request, talent_id)
    status = {grant.grant_id: grant for grant in (await ledger.view(talent_id)).grants}
    names = views.names_of(await ledger.twins(available=False))
    grants = [views.grant_card(grant, status.get(grant.grant_id)) for grant in await ledger.grants(talent_id)]
    live = await ledger.assets(talent_id=talent_id, state="PUBLISHED", limit=1000)
    return pages.page(
        request, "talent.html", "/talents", talent=found, grants=grants[::-1],
        live=[views.thumb(gate, asset, names) for asset in live if not asset.preview_only],
        withdrawals=await ledger.withdrawals(talent_id),
    )  # fmt: skip


@router.get("/talents/{talent_id}/withdraw")
async def preview(request: Request, talent_id: str, effect: Effect = "take_down", grant: str = "") -> Response:
    pages = _pages(request)
    ledger, gate = pages.services.ledger, pages.services.gate_url
    found = await _talent(request, talent_id)
    would = await ledger.preview_withdrawal(talent_id, grant or None, effect)
    known = {asset.asset_id: asset for asset in await ledger.assets(talent_id=talent_id, limit=100_000)}
    names = views.names_of(await ledger.twins(available=False))
    return pages.page(
        request, "withdraw.html", "/talents", talent=found, grant=grant, effect=would.effect, stops=would.stops,
        take_down=[views.thumb(gate, known[asset_id], names) for asset_id in would.take_down],
        run_off=[(views.thumb(gate, known[asset_id], names), until) for asset_id, until in would.run_off],
        stays=[(views.thumb(gate, known[asset_id], names), why) for asset_id, why in would.stays],
        here=f"{request.url.path}?{request.url.query}",
    )  # fmt: skip


async def _talent(request: Request, talent_id: str) -> dict[str, Any]:
    found = await _pages(request).services.ledger.talent(talent_id)
    if found is None:
        raise NotFound(f"No talent {talent_id!r} is known.")
    return found


@router.get("/withdrawals")
async def withdrawals(request: Request) -> Response:
    pages = _pages(request)
    rows = await pages.services.ledger.withdrawals()
    return pages.page(request, "withdrawals.html", "/withdrawals", withdrawals=rows)


async def _withdrawal(request: Request, withdrawal_id: str) -> dict[str, Any]:
    found = await _pages(request).services.ledger.withdrawal(withdrawal_id)
    if found is None:
        raise NotFound(f"No withdrawal {withdrawal_id!r} is known.")
    return found


async def _receipt(request: Request, withdrawal_id: str) -> str:
    found = await _withdrawal(request, withdrawal_id)
    if not found["receipt"]:
        raise NotFound("The withdrawal is not complete: there is no receipt yet.")
    return str(found["receipt"])


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
    return Response(
        await _receipt(request, withdrawal_id),
        media_type="application/jose",
        headers={"Content-Disposition": f'attachment; filename="{withdrawal_id}.jws"'},
    )


@router.get("/receipt-key.json")
async def receipt_key(request: Request) -> Response:
    key = _pages(request).services.receipt_key
    return JSONResponse(key, headers={"Content-Disposition": 'attachment; filename="receipt-key.json"'})


@router.get("/withdrawals/{withdrawal_id}/receipt")
async def receipt_page(request: Request, withdrawal_id: str) -> Response:
    pages = _pages(request)
    verdict = verify_receipt(await _receipt(request, withdrawal_id), pages.services.receipt_key)
    return pages.page(
        request, "receipt.html", "/withdrawals", withdrawal_id=withdrawal_id, verdict=verdict,
        receipt=verdict.receipt, key_id=pages.services.receipt_key["kid"],
    )  # fmt: skip


@router.get("/dead-letters")
async def dead_letters(request: Request) -> Response:
    pages = _pages(request)
    rows = await pages.services.ledger.dead_letters()
    return pages.page(request, "dead_letters.html", "/dead-letters", letters=rows)


@router.get("/reports/checks/{page:path}")
async def report_of_checks(request: Request, page: str = "") -> Response:
    """The newest report of the checks, as Great Expectations wrote it."""
    folder = _pages(request).services.reports
    root = folder.resolve() if folder is not None else None
    file = (root / (page or "index.html")).resolve() if root is not None else None
    if root is None or file is None or not file.is_relative_to(root) or not file.is_file():
        raise NotFound("There is no such report yet. `likeness report` builds one; it is also built every hour.")
    return FileResponse(file)
