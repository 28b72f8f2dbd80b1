"""Photographs and twins come in whole and upright, or are refused with the reason."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from schemas.twin import Twin, TwinPose
from tasks.errors import UnusablePhotograph, UnusableTwin
from tasks.imaging import load
from tests.fakes.drawn import draw_twin


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def plain(mode: str, colour: object) -> Image.Image:
    return Image.new(mode, (80, 120), colour)  # type: ignore[arg-type]  # colours differ by mode


def test_a_sideways_photograph_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.fromarray(np.tile(np.uint8([[[250, 0, 0]], [[0, 0, 250]]]), (1, 160, 1)).repeat(60, axis=0))
    loaded = load.load_photograph(encoded(picture, "JPEG", exif=exif, quality=95))
    assert loaded.shape == (160, 120, 3)
    assert loaded[80, 110, 0] > 200  # the top row became the right column
    assert loaded[80, 10, 2] > 200


@pytest.mark.parametrize(
    ("mode", "colour", "kind"),
    [
        ("RGB", (200, 100, 50), "PNG"),
        ("RGBA", (200, 100, 50, 255), "PNG"),
        ("P", 0, "PNG"),
        ("L", 128, "JPEG"),
        ("LA", (128, 255), "PNG"),
        ("1", 1, "PNG"),
        ("CMYK", (0, 128, 200, 20), "JPEG"),
        ("I;16", 32768, "PNG"),
        ("F", 0.5, "TIFF"),
        ("RGB", (200, 100, 50), "WEBP"),
    ],
)
def test_every_mode_becomes_8_bit_rgb(mode: str, colour: object, kind: str) -> None:
    loaded = load.load_photograph(encoded(plain(mode, colour), kind))
    assert loaded.shape == (120, 80, 3)
    assert loaded.dtype == np.uint8


def test_sixteen_bit_grey_keeps_its_brightness() -> None:
    loaded = load.load_photograph(encoded(plain("I;16", 32768)))
    assert abs(int(loaded[5, 5, 0]) - 128) <= 1


def test_transparency_lies_over_white() -> None:
    loaded = load.load_photograph(encoded(plain("RGBA", (0, 0, 0, 0))))
    assert (loaded == 255).all()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_an_image"),
        (b"%PDF-1.4 hello", "not_an_image"),
        (encoded(Image.new("RGB", (20, 400))), "too_small"),
        (encoded(Image.effect_noise((200, 200), 60), "JPEG")[:4000], "truncated"),
        (encoded(Image.effect_noise((200, 200), 60), "PNG")[:4000], "truncated"),
        (encoded(Image.new("1", (9000, 6000))), "too_large"),
    ],
)
def test_what_is_no_usable_picture_is_refused_with_its_reason(data: bytes, code: str) -> None:
    with pytest.raises(UnusablePhotograph) as refused:
        load.load_photograph(data)
    assert refused.value.code == code


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_decompression_bomb_is_refused_from_its_header() -> None:
    png = bytearray(encoded(Image.new("L", (100, 100))))
    png[16:24] = (60_000).to_bytes(4, "big") * 2
    crc = __import__("zlib").crc32(bytes(png[12:29])).to_bytes(4, "big")
    png[29:33] = crc
    with pytest.raises(UnusablePhotograph):
        load.load_photograph(bytes(png))


def folder() -> tuple[Twin, dict[str, bytes]]:
    drawn = draw_twin()
    files = {
        "standing.png": encoded(Image.fromarray(drawn.rgba)),
        "parts.png": encoded(Image.fromarray(drawn.parts)),
        "body.png": encoded(Image.fromarray(drawn.body_parts)),
    }
    height, width = drawn.parts.shape
    pose = TwinPose(
        pose="standing", image="standing.png", parts="parts.png", body_parts="body.png", width=width, height=height,
        keypoints={"nose": (200.0, 92.0)}, ground_y=668.0,
    )  # fmt: skip
    return drawn.twin.model_copy(update={"poses": (pose,), "sha256": digests(files)}), files


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_a_twin_loads_as_it_was_written() -> None:
    twin, files = folder()
    loaded = load.load_twin(twin, files.__getitem__)
    assert (loaded.rgba == draw_twin().rgba).all()
    assert (loaded.parts == draw_twin().parts).all()
    assert loaded.depth is None
    assert loaded.ground_y == 668.0


def test_a_changed_file_of_a_twin_is_refused_by_name() -> None:
    twin, files = folder()
    files["parts.png"] += b"\0"
    with pytest.raises(UnusableTwin, match=r"parts\.png.*sha256"):
        load.load_twin(twin, files.__getitem__)


def test_a_missing_file_of_a_twin_is_refused_by_name() -> None:
    twin, files = folder()

    def read(name: str) -> bytes:
        if name == "body.png":
            raise FileNotFoundError(name)
        return files[name]

    with pytest.raises(UnusableTwin, match=r"body\.png is missing"):
        load.load_twin(twin, read)


@pytest.mark.parametrize(
    ("name", "picture", "reason"),
    [
        ("parts.png", Image.new("L", (10, 10)), "10 x 10"),
        ("parts.png", Image.new("L", (400, 700), 99), "labels"),
        ("standing.png", Image.new("RGB", (400, 700)), "RGBA"),
        ("standing.png", Image.new("RGBA", (400, 700), (9, 9, 9, 0)), "nobody"),
    ],
)
def test_files_that_do_not_agree_are_refused(name: str, picture: Image.Image, reason: str) -> None:
    twin, files = folder()
    files[name] = encoded(picture)
    with pytest.raises(UnusableTwin, match=reason):
        load.load_twin(twin.model_copy(update={"sha256": digests(files)}), files.__getitem__)


def test_an_unknown_pose_is_refused_naming_those_there_are() -> None:
    twin, files = folder()
    with pytest.raises(UnusableTwin, match="only standing"):
        load.load_twin(twin, files.__getitem__, "walking")


def test_the_digest_changes_with_any_file() -> None:
    twin, files = folder()
    before = load.load_twin(twin, files.__getitem__).digest
    files["body.png"] = encoded(
        Image.fromarray(np.where(draw_twin().parts == 17, 3, draw_twin().parts).astype(np.uint8))
    )
    after = load.load_twin(twin.model_copy(update={"sha256": digests(files)}), files.__getitem__).digest
    assert before != after


def test_depth_is_in_metres_and_normals_are_unit_vectors() -> None:
    twin, files = folder()
    depth = np.zeros((700, 400), np.uint16)
    depth[100:200] = 25_000
    normal = np.zeros((700, 400, 3), np.uint8)
    normal[100:200] = (128, 128, 0)
    files |= {"depth.png": encoded(Image.fromarray(depth)), "normal.png": encoded(Image.fromarray(normal))}
    pose = twin.poses[0].model_copy(update={"depth": "depth.png", "normals": "normal.png"})
    loaded = load.load_twin(twin.model_copy(update={"poses": (pose,), "sha256": digests(files)}), files.__getitem__)
    assert loaded.depth is not None
    assert loaded.depth.max() == pytest.approx(2.5)
    assert loaded.depth[0, 0] == 0
    assert loaded.normals is not None
    assert loaded.normals[150, 10] == pytest.approx((0, 0, -1), abs=0.01)
    assert (loaded.normals[0, 0] == 0).all()
