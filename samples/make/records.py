"""The pack's written half: grants that block some cells on purpose, the part labels, and the hashes of every file.

`python -m samples.make.records PACK` writes grants.json, parts.json and manifest.json.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from schemas.base import CATEGORIES
from schemas.grant import Grant
from schemas.twin import PARTS

ALL_MARKETS = ("SE", "JP", "FR", "US")


def grant(talent: str, **changes: Any) -> dict[str, Any]:
    """The full state of a talent's first grant to the brand `example`; `changes` replace fields of it or of its scope."""
    name = talent.removeprefix("tal-")
    scope = {
        "brands": ["example"], "garment_categories": list(CATEGORIES), "territories": list(ALL_MARKETS),
        "channels": ["web", "social"], "formats": ["*"], "excluded_contexts": ["swimwear"],
        "edits": ["clothing", "background", "lighting"],
    }  # fmt: skip
    state = {
        "talent_id": talent, "grant_id": f"gr-{name}-1", "version": 1, "signed_at": "2026-01-15T09:00:00Z",
        "effective_from": "2026-01-15T09:00:00Z", "effective_to": "2031-01-15T00:00:00Z",
        "scope": scope | {k: v for k, v in changes.items() if k in scope}, "approval": "none",
        "on_withdrawal": "take_down", "run_off_days": 0, "agency": None,
        "rate": {"amount": "120.00", "currency": "SEK", "per": "asset"},
    }  # fmt: skip
    return state | {k: v for k, v in changes.items() if k not in scope}


def grants() -> list[dict[str, Any]]:
    """One grant per talent. Ada to Cleo take down; the others show what a grant can withhold."""
    without = [c for c in CATEGORIES if c != "outerwear"]
    eur = {"amount": "14.00", "currency": "EUR", "per": "asset"}
    return [
        grant("tal-ada"),
        grant("tal-bo", agency="north-models", rate={"amount": "150.00", "currency": "SEK", "per": "asset"}),
        grant("tal-cleo"),
        grant("tal-dara", territories=["SE", "FR", "US"], rate=eur),
        grant("tal-elin", garment_categories=without, on_withdrawal="run_off", run_off_days=30),
        grant("tal-femi", channels=["web"], agency="north-models"),
        grant("tal-goro", on_withdrawal="stop_new", rate={"amount": "1900", "currency": "JPY", "per": "asset"}),
        grant("tal-hana", excluded_contexts=["swimwear", "sleepwear"]),
        grant("tal-ines", formats=["4:5", "1:1"], on_withdrawal="run_off", run_off_days=90, rate=eur),
        grant("tal-jun"),
    ]


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def hashes(pack: Path) -> dict[str, str]:
    """sha256 of every file of the pack but the manifest itself, by path."""
    files = sorted(p for p in pack.rglob("*") if p.is_file() and p.name != "manifest.json")
    return {str(p.relative_to(pack)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    pack: Path = parser.parse_args().pack
    states = grants()
    for state in states:
        Grant.model_validate(state)
    write(pack / "grants.json", states)
    write(pack / "parts.json", PARTS)
    write(pack / "manifest.json", {"sha256": hashes(pack)})


if __name__ == "__main__":
    main()
