"""`likeness report`: the checks of all current images as pages that can be read offline."""

from typing import Annotated

import typer

from console.cli.lists import with_core
from flows.report_checks import report_checks
from tasks.errors import NotFound


def report(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Build the report of the checks now (it is also built on a schedule) and say where it is."""
    page = with_core(lambda core: report_checks(core.ledger, core.settings))
    if page is None:
        raise NotFound("No image was measured yet.")
    print(f'{{"report": "{page}"}}' if as_json else f"{page}  (also in the console under /reports/checks/)")
