"""Report the checks: every current image's measures as Great Expectations Data Docs, on command and on schedule."""

import asyncio
import logging
import shutil
from pathlib import Path
from typing import Any

from infra.settings import Settings
from tasks.ports import Catalogue

log = logging.getLogger(__name__)
MOST_ROWS = 20_000


def report_folder(settings: Settings) -> Path:
    """Where the newest report lies; the console shows it under /reports/checks/."""
    return settings.home / "reports" / "checks"


async def rows_of(ledger: Catalogue) -> list[dict[str, Any]]:
    """One row per image that was measured: live assets, and what its checks kept from being published."""
    rows = [
        {"image_id": asset.asset_id, **asset.measures}
        for asset in await ledger.assets(state="PUBLISHED", limit=MOST_ROWS)
    ]
    for cell in await ledger.cells():
        measures = (cell["rejection"] or {}).get("measures")
        if cell["state"] == "rejected" and measures:
            rows.append({"image_id": f"rejected {cell['cell_id']}", **measures})
    return rows


async def report_checks(ledger: Catalogue, settings: Settings) -> Path | None:
    """Build the report beside the old one, then put it in its place. None when nothing was measured yet."""
    rows = await rows_of(ledger)
    if not rows:
        return None
    target = report_folder(settings)
    fresh = target.with_name("checks.new")
    await asyncio.to_thread(_build, rows, fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return target / "index.html"


def _build(rows: list[dict[str, Any]], folder: Path) -> None:
    from infra.quality.data_docs import build

    build(rows, folder, title="looks")


async def report_for_ever(ledger: Catalogue, settings: Settings) -> None:
    """The schedule: a report every `limits.report_seconds`. A report that fails waits for the next one."""
    while True:
        await asyncio.sleep(settings.limits.report_seconds)
        try:
            await report_checks(ledger, settings)
        except OSError as error:
            log.error("alert: the report of the checks could not be written: %s", error)
