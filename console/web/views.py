"""What the pages show, made from the catalogue's rows: pure functions from rows to template values."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from schemas.asset import AssetRecord
from schemas.garment import Garment
from schemas.grant import Grant, GrantStatus
from schemas.scene import Scene
from schemas.twin import Twin


def look_path(sku: str, twin_id: str, scene: str, format: str) -> str:
    return "/looks/" + "/".join(quote(part, safe="") for part in (sku, twin_id, scene, format))


def thumb(gate: str, asset: AssetRecord, names: dict[str, str]) -> dict[str, Any]:
    """One live look as a card: image from the gate, link to its page."""
    return {
        "asset_id": asset.asset_id,
        "sku": asset.sku,
        "scene": asset.scene,
        "format": asset.format,
        "twin_name": names.get(asset.twin_id, asset.twin_id),
        "image": f"{gate}/assets/{asset.asset_id}",
        "href": look_path(asset.sku, asset.twin_id, asset.scene, asset.format),
    }


def names_of(twins: Iterable[Twin]) -> dict[str, str]:
    return {twin.twin_id: twin.display_name for twin in twins}


def why(cell: dict[str, Any]) -> str:
    """One sentence: why this cell has no image."""
    state = cell["state"]
    if state == "rejected":
        return "Failed its checks: " + ", ".join(failing(cell["rejection"])) + "."
    if state in ("blocked", "needs_approval"):
        return "; ".join(reason["detail"] for reason in (cell["decision"] or {}).get("reasons", ())) or "Not permitted."
    if state in ("REVOKED", "REVOKING"):
        causes = {
            "withdrawn": "Taken down: the talent withdrew consent.",
            "narrowed": "Taken down: the grant no longer covers this use.",
            "expired": "Taken down: the grant has ended.",
            "superseded": "Replaced by a newer version of the garment.",
            "discontinued": "The garment was discontinued.",
            "abandoned": "Publishing was interrupted; the half-made image was removed.",
            "conflict": "Taken down: something else was found under its name.",
        }
        return causes.get(cell["cause"] or "", "Taken down.")
    return "Planned; not made yet."


def failing(rejection: Any) -> list[str]:
    """Names of the measures that failed, readable."""
    if isinstance(rejection, dict):
        named = rejection.get("failures", rejection)
        if isinstance(named, list):
            return [
                str(item.get("measure", item) if isinstance(item, dict) else item).replace("_", " ") for item in named
            ]
        return [str(name).replace("_", " ") for name in named]
    return ["unknown"]


def garment_strip(
    gate: str, garment: Garment, assets: Sequence[AssetRecord], cells: Sequence[dict[str, Any]], names: dict[str, str]
) -> dict[str, Any]:
    """One garment of the gallery: counts by state and up to one look per twin, the scenes taken in turn."""
    by_twin: dict[str, list[AssetRecord]] = {}
    for asset in sorted(assets, key=lambda a: (a.format != "4:5", a.scene)):
        by_twin.setdefault(asset.twin_id, []).append(asset)
    looks = [made[index % len(made)] for index, (_, made) in enumerate(sorted(by_twin.items()))]
    return {
        "sku": garment.sku,
        "title": garment.title,
        "category": garment.category,
        "version": garment.version,
        "states": sorted(Counter(cell["state"] for cell in cells).items()),
        "failure": None,
        "looks": [thumb(gate, asset, names) for asset in looks],
    }


def matrix(
    gate: str, cells: Sequence[dict[str, Any]], scenes: Sequence[Scene], names: dict[str, str], format: str
) -> list[dict[str, Any]]:
    """Rows twin x scene of one garment in one format; each cell is an image or why there is none."""
    found = {(cell["twin_id"], cell["scene"]): cell for cell in cells if cell["format"] == format}
    rows = []
    for twin_id in sorted({twin for twin, _ in found}, key=lambda t: names.get(t, t)):
        row = []
        for scene in scenes:
            cell = found.get((twin_id, scene.scene))
            sku = cell["sku"] if cell else ""
            live = bool(cell and cell["state"] == "PUBLISHED")
            row.append(
                {
                    "scene": scene.title,
                    "href": look_path(sku, twin_id, scene.scene, format) if cell else "#",
                    "image": f"{gate}/assets/{cell['asset_id']}" if cell and live else None,
                    "state": cell["state"] if cell else "planned",
                    "why": why(cell) if cell else "Not planned for this market.",
                }
            )
        talent = next(cell["talent_id"] for cell in found.values() if cell["twin_id"] == twin_id)
        rows.append({"twin_name": names.get(twin_id, twin_id), "talent_id": talent, "cells": row})
    return rows


def check_rows(checks: dict[str, Any], measures: dict[str, Any]) -> list[dict[str, Any]]:
    """The checks of an asset as table rows; `checks` is what the judge recorded."""
    rows = []
    for measure, value in sorted(measures.items()):
        bound = checks.get("thresholds", {}).get(measure)
        failure = next((f for f in checks.get("failures", ()) if f.get("measure") == measure), None)
        rows.append(
            {
                "measure": measure,
                "value": f"{value:.3g}" if isinstance(value, float) else str(value),
                "bound": _bound(bound),
                "passed": failure is None,
                "sentence": failure.get("sentence", "fail") if failure else "",
            }
        )
    return rows


def _bound(bound: Any) -> str:
    if not isinstance(bound, dict):
        return "recorded"
    low, high = bound.get("min"), bound.get("max")
    if low is not None and high is not None:
        return f"{low:g} to {high:g}" if low != high else f"{low:g}"
    return f"≥ {low:g}" if low is not None else f"≤ {high:g}" if high is not None else "recorded"


def grant_card(grant: Grant, status: GrantStatus | None) -> dict[str, Any]:
    """One grant version as the talent's page shows it."""
    alive = status is not None and status.current is not None and status.current.version == grant.version
    scope = [(name, ", ".join(value) or "none") for name, value in grant.scope.model_dump().items()]
    rate = f"{grant.rate.amount} {grant.rate.currency} per {grant.rate.per}" if grant.rate else None
    state = "alive" if alive else "withdrawn" if status and grant.version <= status.floor else "not current"
    return {**grant.model_dump(exclude={"scope", "rate"}), "scope": scope, "rate": rate, "state": state}
