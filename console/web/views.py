"""What the pages show, made from the catalogue's rows: pure functions from rows to template values."""

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from typing import Any
from urllib.parse import quote

from schemas.asset import AssetRecord
from schemas.base import FORMATS
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


CAUSES = {
    "withdrawn": "Taken down: the talent withdrew consent.",
    "narrowed": "Taken down: the grant no longer covers this use.",
    "expired": "Taken down: the grant has ended.",
    "superseded": "Replaced by a newer version of the garment.",
    "discontinued": "Taken down: the garment was discontinued.",
    "abandoned": "Publishing was interrupted; the half-made image was removed.",
    "conflict": "Taken down: something else was found under its name.",
}


def why(cell: dict[str, Any], *, preview: bool = False) -> str:
    """One sentence: why this cell has no public image."""
    state = cell["state"]
    if state == "PUBLISHED" and preview:
        return "A preview: the gate does not show it in public."
    if state == "rejected":
        return f"Failed its checks: {'; '.join(failing(cell['rejection']))}."
    if state in ("blocked", "needs_approval"):
        reasons = "; ".join(reason["detail"] for reason in cell["decision"]["reasons"])
        word = "Waiting for approval" if state == "needs_approval" else "Not permitted"
        return f"{word}: {reasons}." if reasons else f"{word}."
    if state in ("REVOKED", "REVOKING"):
        return CAUSES.get(cell["cause"] or "", "Taken down.")
    return "Permitted; not made yet."


def failing(rejection: dict[str, Any]) -> list[str]:
    """What was wrong, in sentences: failed measures, or the reasons why nothing could be measured."""
    if "failures" in rejection:
        return [failure["sentence"] for failure in rejection["failures"]]
    return [str(reason) for reason in rejection.get("reasons", ())] or ["no reason was recorded"]


def failure(inbox: Sequence[dict[str, Any]]) -> str | None:
    """Why the newest event of a garment failed, or None when it did not."""
    newest = max(inbox, key=lambda row: row["inbox_id"], default=None)
    return (newest["error"] or "no cause recorded") if newest and newest["state"] == "failed" else None


def garment_strip(
    gate: str,
    garment: Garment,
    assets: Sequence[AssetRecord],
    cells: Sequence[dict[str, Any]],
    names: dict[str, str],
    failure: str | None,
) -> dict[str, Any]:
    """One garment of the gallery: counts by state and up to one look per twin, the scenes taken in turn."""
    by_twin: dict[str, list[AssetRecord]] = {}
    public = [asset for asset in assets if not asset.preview_only]
    for asset in sorted(public, key=lambda a: (FORMATS.index(a.format), a.scene)):
        made = by_twin.setdefault(asset.twin_id, [])
        if not made or made[0].format == asset.format:
            made.append(asset)
    looks = [made[index % len(made)] for index, (_, made) in enumerate(sorted(by_twin.items()))]
    return {
        "sku": garment.sku,
        "title": garment.title,
        "category": garment.category,
        "version": garment.version,
        "states": sorted(Counter(cell["state"] for cell in cells).items()),
        "failure": failure,
        "looks": [thumb(gate, asset, names) for asset in looks],
    }


def matrix(
    gate: str,
    cells: Sequence[dict[str, Any]],
    scenes: Sequence[Scene],
    names: dict[str, str],
    format: str,
    previews: Set[str],
) -> list[dict[str, Any]]:
    """Rows twin x scene of one garment in one format; each cell is an image or why there is none."""
    found = {(cell["twin_id"], cell["scene"]): cell for cell in cells if cell["format"] == format}
    rows = []
    for twin_id in sorted({twin for twin, _ in found}, key=lambda t: names.get(t, t)):
        row = []
        for scene in scenes:
            cell = found.get((twin_id, scene.scene))
            row.append(_matrix_cell(gate, cell, scene, cell["asset_id"] in previews) if cell else None)
        talent = next(cell["talent_id"] for cell in found.values() if cell["twin_id"] == twin_id)
        rows.append({"twin_name": names.get(twin_id, twin_id), "talent_id": talent, "cells": row})
    return rows


def _matrix_cell(gate: str, cell: dict[str, Any], scene: Scene, preview: bool) -> dict[str, Any]:
    live = cell["state"] == "PUBLISHED" and not preview
    return {
        "scene": scene.title,
        "href": look_path(cell["sku"], cell["twin_id"], scene.scene, cell["format"]),
        "image": f"{gate}/assets/{cell['asset_id']}" if live else None,
        "state": cell["state"],
        "why": why(cell, preview=preview),
        "alternative": cell["alternative"] if cell["state"] in ("blocked", "needs_approval") else None,
    }


def checks_of(cell: dict[str, Any], asset: AssetRecord | None) -> list[dict[str, Any]]:
    """The judge's record as table rows: of the asset, or of the rejected image (then what failed only)."""
    rejection = cell["rejection"]
    if rejection is not None:
        measures = {failure["measure"]: failure["value"] for failure in rejection.get("failures", ())}
        return _check_rows(rejection, measures)
    return _check_rows(asset.checks, asset.measures) if asset else []


def _check_rows(checks: dict[str, Any], measures: dict[str, Any]) -> list[dict[str, Any]]:
    failures = {failure["measure"]: failure for failure in checks.get("failures", ())}
    limits = checks.get("thresholds", {})
    shown = [measure for measure in limits if measure in measures]
    return [
        {
            "measure": measure,
            "value": _number(measures[measure]),
            "bound": _bound(limits[measure]),
            "sentence": failures[measure]["sentence"] if measure in failures else None,
        }
        for measure in sorted(shown, key=lambda name: name not in failures)
    ]


def _number(value: Any) -> str:
    return "not measured" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def recipe_rows(recipe: dict[str, Any]) -> list[tuple[str, str]]:
    """A recipe as (name, value) lines; nested parts get dotted names."""
    rows: list[tuple[str, str]] = []
    for name, value in sorted(recipe.items()):
        if isinstance(value, dict):
            rows += [(f"{name}.{inner}", text) for inner, text in recipe_rows(value)]
        elif value not in (None, "", [], ()):
            rows.append((name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)))
    return rows


def _bound(bound: dict[str, float | None]) -> str:
    low, high = bound["min"], bound["max"]
    if low is not None and high is not None:
        return f"{low:g} to {high:g}" if low != high else f"{low:g}"
    return f"≥ {low:g}" if low is not None else f"≤ {high:g}"


def grant_card(grant: Grant, status: GrantStatus | None) -> dict[str, Any]:
    """One grant version as the talent's page shows it."""
    alive = status is not None and status.current is not None and status.current.version == grant.version
    scope = [(name, ", ".join(value) or "none") for name, value in grant.scope.model_dump().items()]
    rate = f"{grant.rate.amount} {grant.rate.currency} per {grant.rate.per}" if grant.rate else None
    state = "alive" if alive else "withdrawn" if status and grant.version <= status.floor else "not current"
    return {**grant.model_dump(exclude={"scope", "rate"}), "scope": scope, "rate": rate, "state": state}
