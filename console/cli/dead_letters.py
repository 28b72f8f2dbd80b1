"""`likeness dead-letters`: events that were refused, why, and another try once the cause is mended."""

import json
from typing import Annotated, Any

import typer

from console.cli.lists import AsJson, with_core
from console.cli.printing import print_json, print_list
from infra.kafka.producer import producing
from infra.settings import Settings
from schemas.envelope import SIGNATURE_HEADER
from tasks.errors import BadSignature, NotFound

dead_letters = typer.Typer(help="Events that were refused, and why.", no_args_is_help=True)
SIGNATURE_CODES = frozenset(
    {
        "signature_missing",
        "signature_ambiguous",
        "signature_malformed",
        "bad_signature",
        "unknown_source",
        "unknown_key",
        "type_not_allowed",
        "subject_not_allowed",
        "talent_not_allowed",
        "brand_not_allowed",
    }
)
COLUMNS = ("dead_letter_id", "code", "message", "source", "event_id", "topic", "at", "replayed_at")


@dead_letters.command("list")
def list_dead_letters(
    limit: Annotated[int, typer.Option(help="At most so many, newest first.", min=1)] = 50, as_json: AsJson = False
) -> None:
    """What was refused, newest first."""
    rows = with_core(lambda core: core.ledger.dead_letters(limit))
    print_list(rows, COLUMNS, as_json=as_json, empty="No event was refused.")


@dead_letters.command("show")
def show_dead_letter(dead_letter_id: int, as_json: AsJson = False) -> None:
    """One refused event with its original bytes."""
    row = _found(dead_letter_id)
    if as_json:
        print_json(row)
        return
    for name in (*COLUMNS, "partition", "attempts"):
        print(f"{name.replace('_', ' '):<16} {row.get(name)}")
    print(f"\n{_pretty(bytes(row['raw']))}")


@dead_letters.command("replay")
def replay_dead_letter(
    dead_letter_ids: Annotated[list[int], typer.Argument(help="Which; see `dead-letters list`.")],
    vouch: Annotated[
        bool, typer.Option("--vouch", help="Sign even what was refused for its own signature; you answer for it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send the original bytes to their topic again, signed with this home's key of their source."""
    from console.cli.emit import signature_of

    settings = Settings.load()
    sent: list[dict[str, Any]] = []
    with producing(settings.kafka, "replay") as producer:
        for dead_letter_id in dead_letter_ids:
            row = _found(dead_letter_id)
            if row["code"] in SIGNATURE_CODES and not vouch:
                raise BadSignature(f"{dead_letter_id} was refused for its signature ({row['code']}): see --vouch")
            raw, key = bytes(row["raw"]), row["key"] or ""
            header = (SIGNATURE_HEADER, signature_of(settings, raw).encode())
            partition, offset = producer.send(row["topic"], key, raw, [header])
            _mark_replayed(dead_letter_id)
            sent.append(
                {"dead_letter_id": dead_letter_id, "topic": row["topic"], "partition": partition, "offset": offset}
            )
    print_list(sent, ("dead_letter_id", "topic", "partition", "offset"), as_json=as_json, empty="Nothing was sent.")


def _found(dead_letter_id: int) -> dict[str, Any]:
    row: dict[str, Any] | None = with_core(lambda core: core.ledger.dead_letter(dead_letter_id))
    if row is None:
        raise NotFound(f"There is no dead letter {dead_letter_id}.")
    return row


def _mark_replayed(dead_letter_id: int) -> None:
    with_core(lambda core: core.ledger.mark_replayed(dead_letter_id))


def _pretty(raw: bytes) -> str:
    try:
        return json.dumps(json.loads(raw), indent=1, ensure_ascii=False)
    except ValueError:
        return repr(raw[:4000])
