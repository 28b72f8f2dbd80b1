"""The demo's story, told on real services: grants and garments in, looks out, one talent withdraws, proof.

Every promise that the story makes is checked from outside: the gate is asked over HTTP, the store is listed, the
receipt is verified from its file. A promise that does not hold raises ChecksFailed.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from console.cli import story_events
from console.cli.gate_probe import GateProbe
from infra.bootstrap.core import Core
from tasks.errors import ChecksFailed
from tasks.evidence import tombstone_of
from tasks.receipts import verify_receipt

Emit = Callable[[Sequence[bytes]], float]
"""Signs the events, sends them and waits for the broker; returns time.monotonic() at the last acknowledgement."""
Show = Callable[[dict[str, Any]], None]


TOLD = 8
"""Garments of the pack that the story tells of; the others are there to be emitted."""


@dataclass
class Told:
    """What happened, in the words of `likeness demo --once --json`."""

    garments: int = 0
    twins: int = 0
    assets_published: int = 0
    assets_rejected: int = 0
    assets_blocked: int = 0
    withdrawn_talent: str = ""
    gate_closed_ms: float = 0.0
    assets_revoked: int = 0
    sweep_s: float = 0.0
    receipt: str = ""
    receipt_verified: bool = False
    prefect_flow_runs: int = 0
    urls: dict[str, str] = field(default_factory=dict)


class Story:
    def __init__(self, core: Core, pack: Path, emit: Emit, show: Show) -> None:
        self.core, self.ledger, self.settings = core, core.ledger, core.settings
        self.pack, self.emit, self.show = pack, emit, show
        self.grants: list[dict[str, Any]] = json.loads((pack / "grants.json").read_text())
        self.entries: list[dict[str, Any]] = json.loads((pack / "garments" / "garments.json").read_text())
        self.entries = self.entries[:TOLD]
        self.told = Told()
        self.gate = self.settings.gate.public_url

    # ------------------------------------------------------------ grants
    async def consent(self) -> str | None:
        """Emit what consent is missing; returns the talent that was re-granted, if one was."""
        known = {row["talent_id"]: row for row in await self.ledger.talents()}
        regranted = None
        events = []
        for grant in self.grants:
            talent = known.get(grant["talent_id"])
            view = await self.ledger.view(grant["talent_id"])
            status = next((g for g in view.grants if g.grant_id == grant["grant_id"]), None)
            if status is not None and status.current is not None:
                continue
            if talent is None or (status is None and view.withdrawn_at is None):
                events.append(story_events.granted(grant))
                continue
            taken = status.latest.version if status and status.latest else 0
            version = max(taken, status.floor if status else 0, grant["version"]) + 1
            events.append(story_events.granted(grant, version=version, signed_at=datetime.now(UTC)))
            regranted = grant["talent_id"]
        if events:
            self.emit(events)
            await self._until("consent recorded", self._all_granted, 60)
        return regranted

    async def _all_granted(self) -> bool:
        views = await self.ledger.views([grant["talent_id"] for grant in self.grants])
        return all(any(g.current for g in views[grant["talent_id"]].grants) for grant in self.grants)

    # ------------------------------------------------------------ garments
    async def next_versions(self) -> dict[str, int]:
        return {entry["sku"]: (await self.ledger.current_version(entry["sku"]) or 0) + 1 for entry in self.entries}

    def send_garments(self, entries: Sequence[dict[str, Any]], versions: dict[str, int]) -> None:
        folder = self.pack / "garments"
        self.emit(
            [
                story_events.garment(entry, folder, version=versions[entry["sku"]], formats=self._formats(entry))
                for entry in entries
            ]
        )

    def _formats(self, entry: dict[str, Any]) -> list[str]:
        """All formats for the first garment, one for the others: a story, not a season."""
        every: list[str] = entry["formats"]
        return every if entry is self.entries[0] else every[:1]

    async def all_dressed(self, skus: Sequence[str], versions: dict[str, int], limit: float) -> None:
        """Wait until every garment has its answer, showing progress. Raises ChecksFailed if one failed."""

        async def done() -> bool:
            states = {sku: await self.state(sku, versions[sku]) for sku in skus}
            self.show({"garments": {sku: await self._progress(sku, states[sku]) for sku in skus}})
            failed = [sku for sku, state in states.items() if state == "failed"]
            if failed:
                raise ChecksFailed(
                    f"the sample garments {', '.join(failed)} could not be dressed: see `likeness where`"
                )
            return all(state in ("done", "dressed", "superseded") for state in states.values())

        await self._until("garments dressed", done, limit, every=1.0)

    async def state(self, sku: str, version: int) -> str:
        rows = (await self.ledger.where(sku))["inbox"]
        return next((str(row["state"]) for row in rows if row["version"] == version), "on its way")

    async def _progress(self, sku: str, state: str) -> dict[str, Any]:
        cells = await self.ledger.cells(sku)
        count: dict[str, int] = {}
        for cell in cells:
            count[cell["state"]] = count.get(cell["state"], 0) + 1
        return {"state": state, "cells": len(cells), **count}

    # ------------------------------------------------------------ withdrawal
    async def next_to_withdraw(self, regranted: str | None) -> str:
        """The first talent with live assets after the one withdrawn last, in the pack's order."""
        order = [grant["talent_id"] for grant in self.grants]
        start = order.index(regranted) + 1 if regranted else 0
        for talent_id in order[start:] + order[:start]:
            if await self.ledger.assets(talent_id=talent_id, state="PUBLISHED", limit=1):
                return str(talent_id)
        raise ChecksFailed("no talent has a live asset to withdraw")

    async def withdraw_mid_flow(self, talent_id: str, entry: dict[str, Any], versions: dict[str, int]) -> None:
        """Send a garment, and withdraw the talent by event while that garment is being made."""
        sku = entry["sku"]
        self.send_garments([entry], versions)

        async def under_way() -> bool:
            cells = await self.ledger.cells(sku)
            return any(c["talent_id"] == talent_id and c["garment_version"] == versions[sku] for c in cells)

        await self._until(f"{sku} being made for {talent_id}", under_way, 120, every=0.02)
        live = await self.ledger.assets(talent_id=talent_id, state="PUBLISHED", limit=5000)
        pseudonyms = {asset.key.split("/")[1] for asset in live}
        probe = GateProbe(f"{self.gate}/assets/{live[0].asset_id}").start()
        try:
            if not await asyncio.to_thread(probe.wait_served, 30):
                raise ChecksFailed(f"the gate does not serve {live[0].asset_id} before the withdrawal: {probe.answers}")
            acknowledged = await asyncio.to_thread(
                self.emit, [story_events.withdrawn(talent_id, reason="talent request")]
            )
            if not await asyncio.to_thread(probe.wait_gone, 30):
                raise ChecksFailed("the gate still serves the talent 30 s after the withdrawal")
        finally:
            probe.stop()
        if probe.served_after:
            raise ChecksFailed(f"the gate served {probe.served_after} images after its first refusal")
        assert probe.first_gone is not None
        self.told.withdrawn_talent = talent_id
        self.told.gate_closed_ms = round(max(0.0, (probe.first_gone - acknowledged) * 1000), 1)
        self.show({"closed": self.told.gate_closed_ms, "talent": talent_id, "assets": len(live)})
        await self._taken_down(talent_id, acknowledged)
        await self.all_dressed([sku], versions, 600)
        await self.check_gone(talent_id, pseudonyms)

    async def _taken_down(self, talent_id: str, since: float) -> None:
        async def complete() -> bool:
            newest = (await self.ledger.withdrawals(talent_id))[:1]
            if newest:
                self.show({"sweep": newest[0]})
            return bool(newest) and newest[0]["status"] == "complete"

        await self._until("withdrawal complete", complete, 300, every=0.05)
        self.told.sweep_s = round(time.monotonic() - since, 2)
        newest = (await self.ledger.withdrawals(talent_id))[0]
        file = self.settings.home / "receipts" / f"{newest['withdrawal_id']}.jws"
        await self._until("receipt written", lambda: asyncio.to_thread(file.exists), 10)
        verdict = verify_receipt(file.read_text().strip(), self.core.signer.public_jwk)
        if not verdict.valid:
            raise ChecksFailed(f"the receipt does not verify: {verdict.problem}")
        self.told.receipt, self.told.receipt_verified = str(file.resolve()), True

    async def check_gone(self, talent_id: str, pseudonyms: set[str]) -> None:
        """Ask the gate for every asset ever made of the talent and list the store: nothing but tombstones."""
        assets = await self.ledger.assets(talent_id=talent_id, limit=100_000)
        withdrawn_at = (await self.ledger.view(talent_id)).withdrawn_at
        async with httpx.AsyncClient(timeout=10) as client:
            for asset in assets:
                status = (await client.get(f"{self.gate}/assets/{asset.asset_id}")).status_code
                if status != 410:
                    raise ChecksFailed(f"the gate answers {status} for {asset.asset_id} of the withdrawn {talent_id}")
                if asset.published_at and withdrawn_at and asset.published_at > withdrawn_at:
                    raise ChecksFailed(f"{asset.asset_id} was published after the withdrawal")
        tombstones = 0
        async for key in self.core.store.keys():
            if not pseudonyms & set(key.split("/")):
                continue
            data = await self.core.store.read(key)
            if data is not None and tombstone_of(data) is None:
                raise ChecksFailed(f"the store still holds {key} of the withdrawn {talent_id}")
            tombstones += 1
        self.told.assets_revoked = sum(
            asset.state == "REVOKED" and asset.cause == "withdrawn" and asset.published_at is not None
            for asset in assets
        )
        self.show({"tombstones": tombstones, "revoked": self.told.assets_revoked})

    # ------------------------------------------------------------ the end
    async def sum_up(self, urls: dict[str, str]) -> Told:
        counts = await self.ledger.counts()
        self.told.garments, self.told.twins = counts["garments"], counts["twins"]
        self.told.assets_published = counts["published"] + counts["revoked"]
        self.told.assets_rejected, self.told.assets_blocked = counts["rejected"], counts["blocked"]
        self.told.urls = urls
        async with httpx.AsyncClient(timeout=20) as client:
            answer = await client.post(f"{urls['prefect']}/api/flow_runs/count", json={})
            self.told.prefect_flow_runs = int(answer.raise_for_status().json())
        return self.told

    async def _until(self, what: str, holds: Any, limit: float, *, every: float = 0.1) -> None:
        deadline = time.monotonic() + limit
        while not await holds():
            if time.monotonic() > deadline:
                raise ChecksFailed(f"{what}: still not so after {limit:.0f} s; look into {self.settings.home}/logs")
            await asyncio.sleep(every)
