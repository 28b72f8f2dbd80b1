"""`likeness up`, `down` and `status`: everything that a home runs."""

import logging
from typing import Annotated, Any

import typer

from console.cli.printing import print_json
from infra.embedded import home, running
from infra.embedded.supervisor import supervise
from infra.embedded.units import units_of
from infra.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
ADDRESSES = ("kafka", "console", "gate", "prefect", "ledger", "store")


def up(
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, log here, stop all on Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start PostgreSQL, Kafka, Prefect and all processes on free loopback ports. Does nothing if they run.

    Services that the settings name (LIKENESS_KAFKA__BOOTSTRAP and so on) are used instead of embedded ones.
    """
    settings = Settings.load(running=False)
    if foreground:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        raise typer.Exit(supervise(settings, tell=lambda _: print_status(home.status(settings.home), as_json)))
    found = running.up(settings, tell=lambda name: None if as_json else print(f"· {name}", flush=True))
    print_status(found, as_json)


def down() -> None:
    """Stop everything that `up` started, within seconds."""
    settings = Settings.load(running=False)
    print("Stopped." if running.down(settings.home) else f"Nothing runs in {settings.home}.")


def status(as_json: AsJson = False) -> None:
    """Addresses, and the process id of each process or null. Exit code 3 when Likeness does not run."""
    settings = Settings.load(running=False)
    found = home.status(settings.home) if home.running(settings.home) is not None else None
    if found is None:
        names = [*home.SERVICES, *(unit.name for unit in units_of(settings))]
        if as_json:
            print_json({**dict.fromkeys(ADDRESSES), "processes": dict.fromkeys(names)})
        else:
            print(f"Likeness does not run in {settings.home}: start it with `likeness up`.")
        raise typer.Exit(3)
    print_status(found, as_json)


def print_status(found: dict[str, Any] | None, as_json: bool) -> None:
    if found is None:
        return
    if as_json:
        print_json(found)
        return
    for name in ADDRESSES:
        print(f"{name:<9} {found[name]}")
    for name, pid in found["processes"].items():
        print(f"{name:<9} {'runs as ' + str(pid) if pid else 'does not run'}")
