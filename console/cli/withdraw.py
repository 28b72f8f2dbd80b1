"""`likeness withdraw`: what a withdrawal would do, and the act itself."""

from datetime import datetime
from typing import Annotated

import typer

from console.cli.lists import AsJson, with_core
from console.cli.printing import print_json
from schemas.consent import Effect
from tasks.errors import NotFound


def withdraw(
    talent_id: str,
    effect: Annotated[str, typer.Option(help="take_down, run_off or stop_new.")] = "take_down",
    reason: Annotated[str, typer.Option(help="For the record; needed unless --preview.")] = "",
    grant: Annotated[str | None, typer.Option(help="Only this grant; everything ever given when left out.")] = None,
    at: Annotated[datetime | None, typer.Option(help="When it takes effect (UTC); now when left out.")] = None,
    by: Annotated[str, typer.Option(help="Who withdraws, for the audit trail.")] = "operator",
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would stop, go or stay.")] = False,
    as_json: AsJson = False,
) -> None:
    """Withdraw a talent's consent. From the commit on, the gate refuses; the sweep then takes every copy down."""
    chosen = _effect(effect)
    if preview:
        would = with_core(lambda core: core.ledger.preview_withdrawal(talent_id, grant, chosen))
        if as_json:
            print_json(vars(would))
            return
        print(f"{len(would.take_down)} assets go at once, {len(would.run_off)} later, {len(would.stays)} stay.")
        for line in would.stops:
            print(f"stops: {line}")
        for asset_id in would.take_down:
            print(f"goes now: {asset_id}")
        for asset_id, until in would.run_off:
            print(f"goes {until:%Y-%m-%d}: {asset_id}")
        for asset_id, why in would.stays:
            print(f"stays: {asset_id}: {why}")
        return
    if not reason:
        raise typer.BadParameter("say why with --reason; it is part of the record")
    if with_core(lambda core: core.ledger.talent(talent_id)) is None:
        raise NotFound(f"There is no talent {talent_id}.")
    outcome = with_core(lambda core: core.ledger.withdraw(talent_id, grant, chosen, reason, by=by, effective_at=at))
    if as_json:
        print_json(vars(outcome))
    else:
        print(f"Withdrawn; the gate refuses now (fence {outcome.fence}). Withdrawal {outcome.withdrawal_id}.")
        print(f"Follow it: likeness receipt show {outcome.withdrawal_id}")


def _effect(value: str) -> Effect:
    if value == "take_down":
        return "take_down"
    if value == "run_off":
        return "run_off"
    if value == "stop_new":
        return "stop_new"
    raise typer.BadParameter(f"{value!r} is no effect: take_down, run_off or stop_new")
