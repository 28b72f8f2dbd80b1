"""`likeness try` as a person runs it: any file in, pictures and verdicts out, never a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

GARMENT = Path(__file__).parents[2] / "samples" / "pack" / "garments" / "sku-1001.jpg"


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("try")
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("this is no picture")
    (folder / "cut.jpg").write_bytes(GARMENT.read_bytes()[:4000])
    photos = [GARMENT, folder / "empty.jpg", folder / "text.png", folder / "cut.jpg", folder / "missing.jpg"]
    command = [sys.executable, "-m", "console.cli.main", "try", *map(str, photos), "--twins", "tw-ada,tw-bo", "--steps"]
    done = subprocess.run([*command, "--out", str(folder / "out")], capture_output=True, text=True, timeout=280)
    return folder / "out", done


def test_every_photograph_is_handled_and_none_ends_in_a_traceback(
    tried: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = tried
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_verdicts_name_photo_category_twin_scene_generator_and_reasons(
    tried: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    verdicts = json.loads((tried[0] / "verdicts.json").read_text())
    wanted = {"photo", "category", "twin_id", "scene", "generator", "verdict", "reasons", "image"}
    assert all(set(row) == wanted for row in verdicts)
    good = [row for row in verdicts if row["photo"].endswith("sku-1001.jpg")]
    assert [row["twin_id"] for row in good] == ["tw-ada", "tw-bo"]
    assert all(row["verdict"] in ("pass", "fail") and Path(row["image"]).is_file() for row in good)


def test_what_is_no_photograph_is_refused_with_the_reason(
    tried: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    verdicts = json.loads((tried[0] / "verdicts.json").read_text())
    refused = {Path(row["photo"]).name: row for row in verdicts if row["verdict"] == "refused"}
    assert set(refused) == {"empty.jpg", "text.png", "cut.jpg", "missing.jpg"}
    assert all(row["reasons"] and row["image"] is None for row in refused.values())


def test_the_steps_and_one_contact_sheet_are_written(tried: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    names = {path.name for path in tried[0].iterdir()}
    assert {"contact_sheet.jpg", "sku-1001.cutout.png", "sku-1001.landmarks.json"} <= names
