"""`likeness`: the table of subcommands. Only the module of the one that is asked for is loaded."""

import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import typer

from tasks.errors import ChecksFailed, LikenessError, NotPermitted, TransientError

EXIT_FAILED, EXIT_USAGE, EXIT_UNAVAILABLE, EXIT_REFUSED, EXIT_CHECKS = 1, 2, 3, 4, 5
EXIT_CODES = (
    "Exit codes: 0 done · 1 failed · 2 wrong usage · 3 not running, or a service is away · "
    "4 refused by consent · 5 checks failed."
)


@dataclass(frozen=True)
class Place:
    """Where a subcommand lives, and what the list of all subcommands says about it."""

    module: str
    attribute: str
    help: str
    panel: str

    @property
    def exists(self) -> bool:
        return find_spec(self.module) is not None


RUN, EVENTS, PEOPLE, IMAGES = "Running", "Events", "People and consent", "Garments and images"
COMMANDS: dict[str, Place] = {
    "demo": Place("console.cli.demo", "demo", "Tell the whole story on real services, start to receipt.", RUN),
    "up": Place("console.cli.services", "up", "Start everything in the background; returns when healthy.", RUN),
    "down": Place("console.cli.services", "down", "Stop everything that `up` started.", RUN),
    "status": Place("console.cli.services", "status", "Addresses and processes of the running home.", RUN),
    "doctor": Place("console.cli.doctor", "doctor", "Check this machine, and say what to do about it.", RUN),
    "settings": Place("console.cli.schemas", "settings", "Write the page of all settings.", RUN),
    "emit": Place("console.cli.emit", "emit", "Sign CloudEvents and send them to their topics.", EVENTS),
    "sign": Place("console.cli.emit", "sign", "Print the signature header of an event, for other producers.", EVENTS),
    "dead-letters": Place("console.cli.dead_letters", "dead_letters", "Events that were refused, and why.", EVENTS),
    "schemas": Place("console.cli.schemas", "schemas", "JSON Schema and AsyncAPI of all events.", EVENTS),
    "talents": Place("console.cli.lists", "talents", "The people whose twins these are.", PEOPLE),
    "twins": Place("console.cli.twins", "twins", "Digital replicas: list, show, import.", PEOPLE),
    "grants": Place("console.cli.lists", "grants", "What talents have permitted.", PEOPLE),
    "withdraw": Place("console.cli.withdraw", "withdraw", "Withdraw a talent's consent.", PEOPLE),
    "receipt": Place("console.cli.receipt", "receipt", "Show or verify the proof of a withdrawal.", PEOPLE),
    "garments": Place("console.cli.lists", "garments", "Articles that came in by event.", IMAGES),
    "scenes": Place("console.cli.lists", "scenes", "Locale presets.", IMAGES),
    "assets": Place("console.cli.lists", "assets", "Published images and what became of them.", IMAGES),
    "where": Place("console.cli.lists", "where", "Why a SKU has no image, or where it is now.", IMAGES),
    "report": Place("console.cli.report", "report", "Build the report of all checks, readable offline.", IMAGES),
    "try": Place("console.cli.try_photos", "try_photos", "Dress twins in any photograph, without publishing.", IMAGES),
}


def not_loaded() -> None:
    """Stands for a subcommand in the list of all of them."""


def application(wanted: str | None) -> typer.Typer:
    """The command line with the wanted subcommand loaded and the others named only."""
    app = typer.Typer(
        name="likeness",
        help="Fashion imagery with the digital twins of consenting people, and provable take-down.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(not_loaded)
    for name, place in COMMANDS.items():
        if not place.exists:
            continue
        if name != wanted:
            app.command(name, help=place.help, rich_help_panel=place.panel)(not_loaded)
            continue
        loaded = getattr(import_module(place.module), place.attribute)
        if isinstance(loaded, typer.Typer):
            app.add_typer(loaded, name=name, rich_help_panel=place.panel)
        else:
            app.command(name, rich_help_panel=place.panel)(loaded)
    return app


def exit_code(error: LikenessError) -> int:
    if isinstance(error, TransientError):
        return EXIT_UNAVAILABLE
    if isinstance(error, NotPermitted):
        return EXIT_REFUSED
    if isinstance(error, ChecksFailed):
        return EXIT_CHECKS
    return EXIT_FAILED


def main() -> None:
    """Entry point of the console script."""
    try:
        application(sys.argv[1] if len(sys.argv) > 1 else None)()
    except LikenessError as error:
        print(error.message, file=sys.stderr)
        sys.exit(exit_code(error))
    except BrokenPipeError:
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
