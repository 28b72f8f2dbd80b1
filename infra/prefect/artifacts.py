"""What operations see of a garment in Prefect: progress, decisions, checks and a contact sheet of gate links.

Artifacts outlive a withdrawal, so they hold links that die with consent, never bytes. They are a courtesy: a server
that cannot take one is logged, and the garment goes on.
"""

import logging
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import httpx
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException

log = logging.getLogger(__name__)
MOST_ROWS = 1000
MOST_TAGS = 100
_SILENT = (httpx.HTTPError, OSError, PrefectException)


def artifact_key(kind: str, sku: str) -> str:
    """Prefect takes lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", f"{kind}-{sku}".lower()).strip("-")


async def tag_run(tags: Sequence[str]) -> None:
    """Add tags to the flow run that this is called in: what is known only once it runs."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    known = list(context.flow_run.tags)
    wanted = [*known, *(tag for tag in tags[:MOST_TAGS] if tag not in known)]
    try:
        async with get_client() as client:
            await client.update_flow_run(context.flow_run.id, tags=wanted)
    except _SILENT as error:
        log.warning("no tags for %s: %s", context.flow_run.name, error)


class Progress:
    """One progress artifact per garment, in per cent; told at most twice a second, for each telling costs."""

    def __init__(self, sku: str) -> None:
        self._sku, self._steps, self._done, self._told = sku, 1, 0, 0.0
        self._id: UUID | None = None

    async def begin(self, doing: str) -> None:
        try:
            self._id = await acreate_progress_artifact(
                progress=0.0, key=artifact_key("progress", self._sku), description=f"{self._sku}: {doing}"
            )
        except _SILENT as error:
            log.warning("no progress artifact for %s: %s", self._sku, error)

    def expect(self, steps: int) -> None:
        self._steps = max(self._done + steps, 1)

    async def step(self, done: str) -> None:
        self._done = min(self._done + 1, self._steps)
        if time.monotonic() - self._told >= 0.5:
            await self._tell(100.0 * self._done / self._steps, done)

    async def show(self, done: int, total: int, text: str) -> None:
        if time.monotonic() - self._told >= 0.5:
            await self._tell(100.0 * done / max(total, 1), text)

    async def end(self, outcome: str) -> None:
        await self._tell(100.0, outcome)

    async def _tell(self, per_cent: float, text: str) -> None:
        if self._id is None:
            return
        self._told = time.monotonic()
        try:
            await aupdate_progress_artifact(self._id, progress=round(per_cent, 1), description=f"{self._sku}: {text}")
        except _SILENT as error:
            log.warning("progress of %s not shown: %s", self._sku, error)


async def show_table(kind: str, sku: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    table = [dict(row) for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        description += f" (the first {MOST_ROWS} of {len(rows)}; all are in the console)"
    try:
        await acreate_table_artifact(table=table, key=artifact_key(kind, sku), description=description)
    except _SILENT as error:
        log.warning("no %s table for %s: %s", kind, sku, error)


async def show_note(kind: str, name: str, markdown: str, description: str) -> None:
    try:
        await acreate_markdown_artifact(markdown=markdown, key=artifact_key(kind, name), description=description)
    except _SILENT as error:
        log.warning("no note on %s: %s", name, error)


async def show_contact_sheet(sku: str, title: str, gate_url: str, published: Sequence[Mapping[str, str]]) -> None:
    """`published`: asset_id, twin_id, scene, format of each. Pictures come from the gate, or not at all."""
    try:
        await acreate_markdown_artifact(
            markdown=contact_sheet(sku, title, gate_url, published), key=artifact_key("looks", sku), description=title
        )
    except _SILENT as error:
        log.warning("no contact sheet for %s: %s", sku, error)


def contact_sheet(sku: str, title: str, gate_url: str, published: Sequence[Mapping[str, str]]) -> str:
    lines = [
        f"# {sku}: {title}",
        "",
        f"{len(published)} images. The gate answers for each as long as consent holds.",
        "",
    ]
    columns = sorted({(row["scene"], row["format"]) for row in published})
    if not columns:
        return "\n".join([*lines, "No image was published."])
    cells = {(row["twin_id"], row["scene"], row["format"]): row["asset_id"] for row in published}
    lines.append("| twin | " + " | ".join(" ".join(column) for column in columns) + " |")
    lines.append("|---" * (len(columns) + 1) + "|")
    for twin_id in sorted({row["twin_id"] for row in published}):
        shown = [_picture(cells.get((twin_id, *column)), gate_url) for column in columns]
        lines.append(f"| {twin_id} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _picture(asset_id: str | None, gate_url: str) -> str:
    if asset_id is None:
        return "–"
    address = f"{gate_url.rstrip('/')}/assets/{asset_id}"
    return f"[![{asset_id}]({address})]({address})"
