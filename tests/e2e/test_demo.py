"""`likeness demo --once`, the whole story as a stranger runs it; what it says is held against what lies on the disk."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.cli.story import TOLD
from tests.e2e.story_home import PACK, ROOT, is_tombstone, verified

pytestmark = pytest.mark.timeout(2400)  # the slowest test of all: eight garments on ten twins in up to twelve frames


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="likeness-demo-") as folder:
        Path(folder).chmod(0o755)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("LIKENESS_", "PREFECT_"))
        }
        command = [sys.executable, "-m", "console.cli.main", "demo", "--once", "--json", "told.json"]
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=2300,
        )
        assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        yield json.loads((Path(folder) / "told.json").read_text())


def home_of(told: dict[str, Any]) -> Path:
    return Path(told["receipt"]).parents[1]


def test_everything_of_the_pack_was_dressed_blocked_or_rejected(told: dict[str, Any]) -> None:
    entries = json.loads((PACK / "garments" / "garments.json").read_text())[:TOLD]
    scenes = json.loads((PACK / "scenes" / "scenes.json").read_text())
    assert told["garments"] == len(entries)
    assert told["twins"] == len(list((PACK / "twins").iterdir()))
    frames = [
        (entry["sku"], scene["scene"], shape)
        for entry in entries
        for scene in scenes
        if scene["market"] in entry["markets"]
        for shape in (entry["formats"] if entry is entries[0] else entry["formats"][:1])
    ]
    made_or_not = told["assets_published"] + told["assets_rejected"] + told["assets_blocked"]
    assert made_or_not == told["twins"] * len(frames)
    assert told["assets_published"] > made_or_not / 2
    assert told["prefect_flow_runs"] >= told["garments"]


def test_one_talent_withdrew_and_the_receipt_verifies_elsewhere(told: dict[str, Any]) -> None:
    assert told["receipt_verified"] is True
    assert told["gate_closed_ms"] > 0
    assert told["sweep_s"] > 0
    payload = verified(Path(told["receipt"]))
    assert payload["effect"] == "take_down"
    gone = [target for target in payload["targets"] if target["kind"] == "asset"]
    assert {target["outcome"] for target in payload["targets"]} == {"revoked"}
    # images that were stored but not yet published when consent ended are gone too, and are not counted as revoked
    assert 0 < told["assets_revoked"] <= len([target for target in gone if target["found"] == "expected"])
    grants = json.loads((PACK / "grants.json").read_text())
    assert told["withdrawn_talent"] in {grant["talent_id"] for grant in grants}


def test_the_store_holds_as_many_images_as_were_told_and_tombstones_for_the_rest(told: dict[str, Any]) -> None:
    files = [file.read_bytes() for file in (home_of(told) / "store" / "pub").rglob("*") if file.is_file()]
    tombstones = [data for data in files if is_tombstone(data)]
    assert len(files) - len(tombstones) == told["assets_published"] - told["assets_revoked"]
    assert len(tombstones) >= told["assets_revoked"]


def test_nothing_of_it_runs_any_more(told: dict[str, Any]) -> None:
    assert set(told["urls"]) >= {"console", "gate", "prefect"}
    for name in ("console", "gate", "prefect"):
        assert told["urls"][name].startswith("http://127.0.0.1:")
        with pytest.raises(httpx.ConnectError):
            httpx.get(told["urls"][name], timeout=5)
