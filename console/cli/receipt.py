"""`likeness receipt show|verify`: the proof of a withdrawal, readable, and checked offline."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from console.cli.printing import print_json
from infra.keys import RECEIPT_KEY
from infra.settings import resolve_home
from schemas.receipt import Receipt
from tasks.errors import ChecksFailed, Misconfigured, NotFound
from tasks.receipts import ReceiptVerdict, verify_receipt

receipt = typer.Typer(help="Show or verify the proof of a withdrawal.", no_args_is_help=True)

File = Annotated[str, typer.Argument(metavar="FILE", help="A receipt's file (.jws), or the id of a withdrawal here.")]
Key = Annotated[Path | None, typer.Option("--key", help="Public key (JWK). Left out: the receipt key of this home.")]
Manifest = Annotated[
    Path | None, typer.Option("--manifest", help="Left out: FILE with .manifest.jsonl, if it is there.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@receipt.command("verify")
def verify(file: File, key: Key = None, manifest: Manifest = None, as_json: AsJson = False) -> None:
    """Check signature and contents; needs no service and no network. Exit code 5 when it does not hold."""
    verdict = _verdict(file, key, manifest)
    if as_json:
        print_json({"valid": verdict.valid, "problems": list(verdict.problems), "receipt": verdict.payload or None})
    elif verdict.valid and verdict.receipt is not None:
        told = verdict.receipt
        print(
            f"Valid. Withdrawal {told.withdrawal_id}: {told.targets_total} objects gone by {_time(told.completed_at)}."
        )
    if not verdict.valid:
        raise ChecksFailed(f"The receipt does not hold: {verdict.problem}", code="receipt_invalid")


@receipt.command("show")
def show(file: File, key: Key = None, manifest: Manifest = None, as_json: AsJson = False) -> None:
    """What the receipt says, and whether it verifies."""
    verdict = _verdict(file, key, manifest)
    if verdict.receipt is None:
        raise ChecksFailed(f"The receipt does not hold: {verdict.problem}", code="receipt_invalid")
    if as_json:
        print_json({**verdict.payload, "valid": verdict.valid})
        return
    for line in _lines(verdict.receipt):
        print(line)
    print("Signature: valid" if verdict.valid else f"NOT VALID: {verdict.problem}")


def _verdict(file: str, key: Path | None, manifest: Path | None) -> ReceiptVerdict:
    path = _path(file)
    beside = path.with_suffix(".manifest.jsonl")
    rows = manifest or (beside if beside.is_file() else None)
    return verify_receipt(path.read_text(), _public_key(key), None if rows is None else rows.read_bytes())


def _path(file: str) -> Path:
    for path in (Path(file), resolve_home() / "receipts" / f"{Path(file).name}.jws"):
        if path.is_file():
            return path
    raise NotFound(f"There is no receipt {file}: give a .jws file, or the id of a withdrawal that is complete.")


def _public_key(key: Path | None) -> dict[str, Any]:
    path = key or resolve_home() / "keys" / f"{RECEIPT_KEY}.pub.jwk"
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{path} is no public key (JWK): {error}") from None
    if not isinstance(content, dict) or content.get("kty") != "OKP":
        raise Misconfigured(f"{path} is no Ed25519 public key (JWK)")
    return content


def _lines(told: Receipt) -> list[str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in told.targets_by_kind.items()) or "none"
    return [
        f"Withdrawal  {told.withdrawal_id} ({told.effect})",
        f"Talent      {told.talent}",
        f"Grants      {', '.join(told.grants) or 'all'}",
        f"Recorded    {_time(told.recorded_at)}  (from here on the gate refused)",
        f"Planned     {_time(told.planned_at)}",
        f"Completed   {_time(told.completed_at)}",
        f"Objects     {told.targets_total} taken down and verified: {kinds}",
        f"Kept        {told.kept_total} rows: ids and perceptual hashes, and what may still run off",
        f"Evidence    row {told.evidence.position}, {told.evidence.hash}",
        f"Store       {told.store.statement}",
    ]


def _time(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"
