"""`likeness talents|grants|garments|scenes|assets list|show` and `where`: what the ledger knows."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from console.cli.printing import print_json, print_list, print_one
from console.web.views import failing
from infra.bootstrap.core import Core, open_core
from infra.settings import Settings
from tasks.errors import NotFound

Result = TypeVar("Result")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

talents = typer.Typer(help="The people whose twins these are.", no_args_is_help=True)
grants = typer.Typer(help="What talents have permitted.", no_args_is_help=True)
garments = typer.Typer(help="Articles that came in by event.", no_args_is_help=True)
assets = typer.Typer(help="Published images and what became of them.", no_args_is_help=True)
scenes = typer.Typer(help="Locale presets.", no_args_is_help=True)


def with_core(work: Callable[[Core], Awaitable[Result]]) -> Result:
    """Run `work` on an opened core and close it again."""

    async def run() -> Result:
        async with open_core(Settings.load()) as core:
            return await work(core)

    return asyncio.run(run())


def _found(value: Any, what: str) -> Any:
    if value is None:
        raise NotFound(f"There is no {what}.")
    return value


@talents.command("list")
def list_talents(as_json: AsJson = False) -> None:
    """Every talent with consent state, fence and live assets."""
    rows = with_core(lambda core: core.ledger.talents())
    columns = ("talent_id", "name", "twins", "state", "live", "fence")
    print_list(rows, columns, as_json=as_json, empty="No talent is known yet.")


@talents.command("show")
def show_talent(talent_id: str, as_json: AsJson = False) -> None:
    """One talent."""
    print_one(_found(with_core(lambda core: core.ledger.talent(talent_id)), f"talent {talent_id}"), as_json=as_json)


@talents.command("release")
def release_talent(
    talent_id: str,
    reason: Annotated[str, typer.Option(help="Why the hold ends, for the record.")],
    by: Annotated[str, typer.Option(help="Who decides.")] = "operator",
) -> None:
    """End a hold: new work for the talent may start again, as far as grants permit."""
    with_core(lambda core: core.ledger.release(talent_id, by=by, reason=reason))
    print(f"{talent_id} is released.")


@grants.command("list")
def list_grants(
    talent: Annotated[str | None, typer.Option(help="Only of this talent.")] = None, as_json: AsJson = False
) -> None:
    """Every known version of every grant."""
    rows = [grant.model_dump(mode="json") for grant in with_core(lambda core: core.ledger.grants(talent))]
    columns = ("grant_id", "version", "talent_id", "effective_from", "effective_to", "approval", "on_withdrawal")
    print_list(rows, columns, as_json=as_json, empty="No grant is known.")


@grants.command("show")
def show_grant(grant_id: str, as_json: AsJson = False) -> None:
    """Every known version of one grant."""
    rows = [g.model_dump(mode="json") for g in with_core(lambda core: core.ledger.grants()) if g.grant_id == grant_id]
    if not rows:
        raise NotFound(f"There is no grant {grant_id}.")
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print_one(row, as_json=False)


@garments.command("list")
def list_garments(as_json: AsJson = False) -> None:
    """Current version of every garment."""
    rows = [garment.model_dump(mode="json") for garment in with_core(lambda core: core.ledger.garments())]
    columns = ("sku", "version", "category", "title", "brand", "markets", "channels", "formats", "lifecycle")
    print_list(rows, columns, as_json=as_json, empty="No garment has come in.")


@garments.command("show")
def show_garment(sku: str, as_json: AsJson = False) -> None:
    """One garment's full state."""
    garment = _found(with_core(lambda core: core.ledger.garment(sku)), f"garment {sku}")
    print_one(garment.model_dump(mode="json"), as_json=as_json)


@scenes.command("list")
def list_scenes(as_json: AsJson = False) -> None:
    """Every scene with market and label."""
    rows = [scene.model_dump(mode="json") for scene in with_core(lambda core: core.ledger.scenes())]
    print_list(rows, ("scene", "title", "market", "language", "label_text"), as_json=as_json, empty="No scene.")


@assets.command("list")
def list_assets(
    sku: Annotated[str | None, typer.Option(help="Only of this garment.")] = None,
    talent: Annotated[str | None, typer.Option(help="Only of this talent.")] = None,
    twin: Annotated[str | None, typer.Option(help="Only of this twin.")] = None,
    scene: Annotated[str | None, typer.Option(help="Only in this scene.")] = None,
    state: Annotated[str | None, typer.Option(help="INTENT, PUBLISHED, REVOKING or REVOKED.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 500,
    as_json: AsJson = False,
) -> None:
    """Assets, newest first."""
    found = with_core(
        lambda core: core.ledger.assets(
            sku=sku, talent_id=talent, twin_id=twin, scene=scene, state=state.upper() if state else None, limit=limit
        )
    )
    rows = [{**asset.model_dump(mode="json"), "status": asset.state} for asset in found]
    columns = ("asset_id", "sku", "twin_id", "scene", "format", "status", "cause", "published_at")
    print_list(rows, columns, as_json=as_json, empty="No asset fits.")


@assets.command("show")
def show_asset(asset_id: str, as_json: AsJson = False) -> None:
    """One asset with its recipe, checks and grant."""
    asset = _found(with_core(lambda core: core.ledger.asset(asset_id)), f"asset {asset_id}")
    print_one({**asset.model_dump(mode="json"), "status": asset.state}, as_json=as_json)


def where(sku: str, as_json: AsJson = False) -> None:
    """Why has this SKU no image, or where is it now."""
    found = with_core(lambda core: core.ledger.where(sku))
    if as_json:
        print_json(found)
        return
    if not found["inbox"]:
        raise NotFound(
            f"No event for {sku} has come in; see `likeness dead-letters list` for events that were refused."
        )
    for row in found["inbox"]:
        note = f": {row['error']}" if row["error"] else ""
        print(f"version {row['version']} ({row['type'].rsplit('.', 1)[-1]}): {row['state']}{note}")
    states = Counter(cell["state"] for cell in found["cells"])
    print("cells: " + (", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "none planned"))
    for cell in found["cells"]:
        if cell["state"] != "PUBLISHED":
            print(f"  {cell['twin_id']} · {cell['scene']} · {cell['format']}: {cell['state']}: {_reason(cell)}")


def _reason(cell: dict[str, Any]) -> str:
    if cell["state"] == "rejected":
        return "; ".join(failing(cell["rejection"]))
    reasons = "; ".join(reason["detail"] for reason in (cell["decision"] or {}).get("reasons", ()))
    alternative = f" (permitted instead: {cell['alternative']})" if cell["alternative"] else ""
    return (cell["cause"] or reasons or "not made yet") + alternative
