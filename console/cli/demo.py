"""`likeness demo`: the whole story on real services, from an empty folder to a verified receipt."""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from console.auth import operator_token
from console.cli.emit import signature_of
from console.cli.story import Story, Told
from console.cli.twins import import_scenes, import_twins
from infra.bootstrap.core import open_core
from infra.embedded import running
from infra.kafka.producer import producing
from infra.settings import Settings
from schemas.envelope import SIGNATURE_HEADER, TOPIC_TYPES, parse_event

PACK = Path(__file__).resolve().parents[2] / "samples" / "pack"
out = Console(highlight=False)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Unattended, in a state folder of its own; exits when told.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="With --once: write what happened to this file.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="With --once: leave the services running.")] = False,
) -> None:
    """Garments and grants go in as signed events, labelled looks come out of the gate, one talent withdraws.

    Without --once everything keeps running until Ctrl-C, so that you can look around.
    """
    home = Path(tempfile.mkdtemp(prefix="likeness-once-", dir=Path.cwd())) if once else None
    settings = Settings.load(home, running=False)
    started = time.monotonic()
    out.print(f"[bold]Likeness[/bold]  state in {settings.home}")
    try:
        running.up(settings, tell=lambda name: out.print(f"  [dim]starting {name}[/dim]"))
        told = asyncio.run(_tell(Settings.load(settings.home)))
        out.print(f"\nDone in {time.monotonic() - started:.0f} s.")
        if json_file is not None:
            json_file.write_text(json.dumps(asdict(told), indent=1) + "\n")
        if not once:
            _stay(settings, told)
    except KeyboardInterrupt:
        out.print("\nStopping …")
    finally:
        if not keep:
            running.down(settings.home)


def _stay(settings: Settings, told: Told) -> None:
    token = operator_token(settings.home / "keys")
    out.print(f"\n  gallery        {told.urls['console']}/")
    out.print(f"  Prefect        {told.urls['prefect']}/")
    out.print(f"  an asset       {told.urls['asset']}")
    out.print(f"  its status     {told.urls['asset']}/status")
    out.print(f"  the withdrawal {told.urls['console']}/withdrawals")
    out.print(f"  operator token {token}  (for changes in the console)")
    out.print("\nEverything keeps running. Ctrl-C stops it; `make demo` again goes on from here.")
    while True:
        time.sleep(3600)


async def _tell(settings: Settings) -> Told:
    urls = {
        "console": settings.console_url,
        "gate": settings.gate_url,
        "prefect": settings.prefect.api_url.removesuffix("/api"),
    }
    with producing(settings.kafka, "demo") as producer:
        async with open_core(settings) as core:
            progress = Progress()
            story = Story(core, PACK, _emitter(settings, producer), progress.show)
            out.print("\n[bold]1  Consent[/bold]")
            regranted = await story.consent()
            if regranted:
                out.print(f"  {regranted} gave a new, newly signed grant; what was taken down stays down")
            out.print(f"  {len(story.grants)} talents have a live grant")
            scenes = await import_scenes(PACK / "scenes", core)
            twins = await import_twins(PACK / "twins", core)
            stored = sum(row["files_stored"] for row in twins)
            out.print(f"  {len(twins)} twins and {len(scenes)} scenes are in ({stored} reference files stored now)")
            out.print("\n[bold]2  Garments[/bold]  signed CloudEvents on Kafka, one Prefect flow each")
            versions = await story.next_versions()
            first_time = all(version == 1 for version in versions.values())
            *before, last = story.entries if first_time else story.entries[:2]
            with progress.live():
                await asyncio.to_thread(story.send_garments, before, versions)
                await story.all_dressed([entry["sku"] for entry in before], versions, 1800)
            out.print()
            live = await core.ledger.assets(state="PUBLISHED", limit=1)
            urls["asset"] = f"{urls['gate']}/assets/{live[0].asset_id}"
            out.print(f"  looks   {urls['console']}/\n  Prefect {urls['prefect']}/\n  asset   {urls['asset']}")
            out.print("\n[bold]3  Withdrawal[/bold]  by event, while a garment of theirs is being made")
            talent = await story.next_to_withdraw(regranted)
            await story.withdraw_mid_flow(talent, last, versions)
            told = await story.sum_up(urls)
    _print_withdrawal(told)
    return told


def _print_withdrawal(told: Told) -> None:
    out.print(f"  {told.withdrawn_talent} withdrew everything")
    out.print(f"  gate closed after        {told.gate_closed_ms:.0f} ms (Kafka's acknowledgement to the first 410)")
    out.print(
        f"  taken down               {told.assets_revoked} assets in {told.sweep_s:.1f} s, nothing but tombstones left"
    )
    out.print(f"  receipt                  {told.receipt}")
    out.print(f"  receipt verified         {'yes' if told.receipt_verified else 'NO'}, offline, with the public key")
    out.print(
        f"  in all {told.assets_published} assets published, {told.assets_rejected} rejected by checks, "
        f"{told.assets_blocked} cells blocked by consent, {told.prefect_flow_runs} flow runs"
    )


def _emitter(settings: Settings, producer: Any) -> Callable[[Sequence[bytes]], float]:
    def emit(events: Sequence[bytes]) -> float:
        for raw in events:
            event = parse_event(raw)
            topic = next(topic for topic, types in TOPIC_TYPES.items() if event.type in types)
            header = (SIGNATURE_HEADER, signature_of(settings, raw).encode())
            producer.send(topic, event.subject, raw, [header])
        return time.monotonic()

    return emit


class Progress:
    """What the story shows while it goes on: one line per garment."""

    def __init__(self) -> None:
        self._live: Live | None = None

    def live(self) -> Live:
        self._live = Live(Table(box=None), console=out, refresh_per_second=4)
        return self._live

    def show(self, news: dict[str, Any]) -> None:
        if "garments" in news and self._live is not None:
            self._live.update(_table(news["garments"]))


def _table(garments: dict[str, dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2))
    for name in ("  garment", "state", "stage", "cells", "published", "blocked", "rejected"):
        table.add_column(name, justify="left" if name in ("  garment", "state", "stage") else "right")
    for sku, now in garments.items():
        numbers = [str(now.get(name, 0)) for name in ("cells", "PUBLISHED", "blocked", "rejected")]
        table.add_row(f"  {sku}", now["state"], _stage(now), *numbers)
    return table


def _stage(now: dict[str, Any]) -> str:
    """Which stage a garment is in, as far as the ledger shows it."""
    if now["state"] in ("done", "dressed"):
        return "dressed"
    if not now["cells"]:
        return "waiting" if now["state"] in ("waiting", "queued", "on its way") else "cutting out, planning"
    return "publishing" if now.get("PUBLISHED") or now.get("rejected") else "generating, compositing, checking"
