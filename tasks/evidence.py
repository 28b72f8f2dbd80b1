"""Evidence: the hash chain of rows behind every receipt, its signed heads, and the tombstone's format.

A row's hash is sha256(previous hash + "\n" + position + "\n" + canonical JSON of its body), hex; the first row's
previous hash is GENESIS and positions count up from 1 without gaps. A head is a compact JWS (EdDSA) over the canonical
JSON {"chain":"likeness/evidence/1","hash":…,"position":…}.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks import jws
from tasks.errors import BadSignature

GENESIS = "0" * 64
CHAIN_FORMAT = "likeness/evidence/1"
TOMBSTONE_CONTENT_TYPE = "application/vnd.likeness.tombstone+json"
_LONGEST_TOMBSTONE = 4096


def canonical(content: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8, times in ISO 8601. Raises TypeError for anything else."""
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_instant
    ).encode()


def _instant(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in evidence")


# ---------------------------------------------------------------- chain
@dataclass(frozen=True)
class EvidenceRow:
    """One sealed row. `body` is JSON-able and reads back from the database exactly as it was hashed."""

    position: int
    body: Mapping[str, Any]
    hash: str


def row_hash(previous: str, position: int, body: Mapping[str, Any]) -> str:
    """Hash of the row at `position` that follows the row with hash `previous`."""
    return hashlib.sha256(f"{previous}\n{position}\n".encode() + canonical(body)).hexdigest()


def chain(previous: str, position: int, bodies: Iterable[Mapping[str, Any]]) -> list[EvidenceRow]:
    """Seal `bodies` in order behind the row (`position`, `previous`); (0, GENESIS) begins a chain."""
    rows: list[EvidenceRow] = []
    for body in bodies:
        position += 1
        previous = row_hash(previous, position, body)
        rows.append(EvidenceRow(position, body, previous))
    return rows


def head_payload(position: int, hash: str) -> bytes:
    """The bytes that the sealer signs."""
    return canonical({"chain": CHAIN_FORMAT, "position": position, "hash": hash})


@dataclass(frozen=True)
class ChainVerdict:
    intact: bool
    rows: int
    heads: int
    problem: str | None = None
    position: int | None = None
    """Where the first problem lies."""


def verify_chain(rows: Iterable[EvidenceRow], heads: Iterable[str], key: Mapping[str, Any]) -> ChainVerdict:
    """Recompute the chain from its first row and check every signed head against it. `key` is the public JWK."""
    previous = GENESIS
    hashes: dict[int, str] = {}
    for position, row in enumerate(rows, start=1):
        if row.position != position:
            return ChainVerdict(False, len(hashes), 0, f"row {position} is missing", position)
        previous = row_hash(previous, position, row.body)
        if row.hash != previous:
            return ChainVerdict(False, len(hashes), 0, f"row {position} was changed", position)
        hashes[position] = previous
    return _verify_heads(hashes, list(heads), key)


def _verify_heads(hashes: Mapping[int, str], heads: list[str], key: Mapping[str, Any]) -> ChainVerdict:
    newest = 0
    for count, head in enumerate(heads):
        content = read_head(head, key)
        if content is None:
            return ChainVerdict(False, len(hashes), count, f"head {count + 1} is not signed by this key")
        position, head_hash = content
        if hashes.get(position) != head_hash:
            return ChainVerdict(False, len(hashes), count, f"the head at {position} does not fit the rows", position)
        newest = max(newest, position)
    if hashes and newest < len(hashes):
        return ChainVerdict(False, len(hashes), len(heads), "rows behind the newest head are not signed", newest + 1)
    return ChainVerdict(True, len(hashes), len(heads))


def read_head(head: str, key: Mapping[str, Any]) -> tuple[int, str] | None:
    """(position, hash) that the head signs, None if the signature or the format is not right."""
    try:
        content = json.loads(jws.verify(head, key))
    except (BadSignature, ValueError):
        return None
    if not isinstance(content, dict) or content.get("chain") != CHAIN_FORMAT:
        return None
    return int(content["position"]), str(content["hash"])


# ---------------------------------------------------------------- tombstone
def tombstone(object_id: str, at: datetime) -> bytes:
    """What replaces an object for ever: which object, when; nothing about a person."""
    return canonical({"likeness": "tombstone", "object_id": object_id, "at": at})


def tombstone_of(data: bytes | None) -> str | None:
    """The object id if `data` is a tombstone and nothing more, else None."""
    if data is None or len(data) > _LONGEST_TOMBSTONE or not data.startswith(b"{"):
        return None
    try:
        content = json.loads(data)
    except ValueError:
        return None
    if not isinstance(content, dict) or content.keys() != {"likeness", "object_id", "at"}:
        return None
    if content["likeness"] != "tombstone":
        return None
    return str(content.get("object_id"))
