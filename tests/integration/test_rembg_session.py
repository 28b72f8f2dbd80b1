"""The garment network through rembg, on the sample pack's photographs; and that no model is ever fetched."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from infra.models.rembg import GarmentSegmenter, open_segmenter
from tasks.errors import Misconfigured, UnusablePhotograph
from tasks.imaging.cutout import understand
from tasks.imaging.load import load_photograph
from tasks.imaging.pictures import U8

PACK = Path(__file__).resolve().parents[2] / "samples" / "pack" / "garments"
ENTRIES = json.loads((PACK / "garments.json").read_text())


@pytest.fixture(scope="module")
def segmenter() -> GarmentSegmenter:
    return GarmentSegmenter()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["sku"])
def test_every_sample_garment_is_understood(entry: dict[str, str], segmenter: GarmentSegmenter) -> None:
    photograph = load_photograph((PACK / entry["image"]).read_bytes())
    found = understand(photograph, entry["category"], segmenter, segmenter)  # type: ignore[arg-type]  # from JSON
    assert found.confidence > 0.75, found.problems
    assert found.rotation == 0
    assert 0.08 < float((found.rgba[..., 3] > 127).mean()) < 0.8


GROUNDS = ("plain", "gradient", "boards", "studio.jpg", "stockholm.jpg")


def ground(name: str) -> U8:
    """A picture without any garment in it."""
    if name.endswith(".jpg"):
        return load_photograph((PACK.parent / "scenes" / name).read_bytes())[::4, ::4].copy()
    y, x = np.mgrid[0:480, 0:360].astype(np.float32)
    light = {"plain": 205 + 0 * x, "gradient": 120 + 0.2 * y, "boards": 150 + 20 * ((x // 40) % 2)}[name]
    noisy = light[..., None] + np.random.default_rng(0).normal(0, 4, (480, 360, 3))
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", GROUNDS)
def test_a_picture_without_a_garment_is_refused(name: str, segmenter: GarmentSegmenter) -> None:
    with pytest.raises(UnusablePhotograph):
        understand(ground(name), "top", segmenter, segmenter)


def test_rembg_itself_can_use_the_session(segmenter: GarmentSegmenter) -> None:
    from rembg import remove

    photograph = Image.open(PACK / ENTRIES[0]["image"]).convert("RGB")
    mask = remove(photograph, session=segmenter._session, only_mask=True)
    assert mask.size == photograph.size
    assert 0.05 < float((np.asarray(mask) > 127).mean()) < 0.8


def test_another_model_is_only_used_when_its_file_is_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"u2net\.onnx"):
        open_segmenter("u2net", tmp_path)


def test_models_that_send_pictures_away_are_not_offered(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="not one of"):
        open_segmenter("withoutbg", tmp_path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"none\.onnx"):
        GarmentSegmenter(tmp_path / "none.onnx")
