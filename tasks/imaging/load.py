"""Load pictures from bytes: photographs from outside, and a twin's files, checked before anything is made with them."""

import hashlib
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from schemas.recipe import digest_of
from schemas.twin import PARTS, Twin, TwinPose
from tasks.errors import UnusablePhotograph, UnusableTwin
from tasks.imaging.pictures import F32, U8, TwinReference

MOST_PIXELS = 50_000_000
"""A photograph larger than this is refused before a pixel of it is decoded."""
SMALLEST_SIDE = 64
DEPTH_UNIT_M = 0.0001
"""A step of a 16-bit depth picture, metres; 0 means nothing is there."""
_BROKEN = (OSError, SyntaxError, ValueError, struct.error, zlib.error, EOFError, Image.DecompressionBombError)


def digest(data: bytes) -> str:
    """sha256 of bytes, hex."""
    return hashlib.sha256(data).hexdigest()


def _open(data: bytes) -> Image.Image:
    """Header only. Pillow raises many kinds of error on broken bytes; all mean the same here."""
    try:
        picture = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise UnusablePhotograph(f"{len(data)} bytes that are no picture we can read", code="not_an_image") from error
    except _BROKEN as error:
        raise UnusablePhotograph(f"picture header is damaged: {error}", code="not_an_image") from error
    width, height = picture.size
    if width * height > MOST_PIXELS:
        message = f"{width} x {height} pixels, more than {MOST_PIXELS // 1_000_000} million"
        raise UnusablePhotograph(message, code="too_large")
    if min(width, height) < SMALLEST_SIDE:
        raise UnusablePhotograph(f"{width} x {height} pixels, less than {SMALLEST_SIDE} on a side", code="too_small")
    return picture


def _eight_bit(picture: Image.Image) -> Image.Image:
    """RGB 8 bit over white, from any mode. 16- and 32-bit greys and floats are scaled by their own range's meaning."""
    if picture.mode.startswith(("I", "F")):
        values = np.asarray(picture).astype(np.float64)
        top = 65535.0 if picture.mode.startswith("I") and values.max(initial=0) > 255 else 255.0
        if picture.mode == "F" and values.max(initial=0) <= 1.0:
            top = 1.0
        picture = Image.fromarray(np.rint(np.clip(np.nan_to_num(values) / top, 0, 1) * 255).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(ground, picture)
    return picture.convert("RGB")


def load_photograph(data: bytes) -> U8:
    """sRGB uint8 H x W x 3, upright by its EXIF orientation, transparency over white.

    Raises UnusablePhotograph (codes not_an_image, truncated, too_large, too_small).
    """
    picture = _open(data)
    try:
        picture.load()
        return np.array(_eight_bit(ImageOps.exif_transpose(picture)), np.uint8)
    except _BROKEN as error:
        raise UnusablePhotograph(f"picture data is damaged or cut short: {error}", code="truncated") from error


def load_backdrop(data: bytes) -> U8:
    """A scene's backdrop, sRGB uint8 H x W x 3."""
    return load_photograph(data)


def _pixels(twin: Twin, name: str, data: bytes) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            return np.asarray(picture)
    except (UnidentifiedImageError, *_BROKEN) as error:
        raise UnusableTwin(f"{twin.twin_id}: {name} is not a picture: {error}") from error


def _verified(twin: Twin, name: str, read: Callable[[str], bytes]) -> bytes:
    expected = twin.sha256.get(name)
    if expected is None:
        raise UnusableTwin(f"{twin.twin_id}: no sha256 is recorded for {name}")
    try:
        data = read(name)
    except FileNotFoundError as error:
        raise UnusableTwin(f"{twin.twin_id}: file {name} is missing") from error
    if digest(data) != expected:
        raise UnusableTwin(f"{twin.twin_id}: {name} is not the file that was recorded (sha256 differs)")
    return data


def _rgba(twin: Twin, name: str, pixels: np.ndarray) -> U8:
    if pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype != np.uint8:
        raise UnusableTwin(f"{twin.twin_id}: {name} must be an 8-bit RGBA picture, it is {pixels.shape} {pixels.dtype}")
    if not (pixels[..., 3] > 127).any():
        raise UnusableTwin(f"{twin.twin_id}: {name} shows nobody, its alpha is empty")
    return np.ascontiguousarray(pixels)


def _labels(twin: Twin, name: str, pixels: np.ndarray) -> U8:
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise UnusableTwin(
            f"{twin.twin_id}: {name} must be an 8-bit label picture, it is {pixels.shape} {pixels.dtype}"
        )
    unknown = sorted(set(np.unique(pixels).tolist()) - set(PARTS.values()))
    if unknown:
        raise UnusableTwin(f"{twin.twin_id}: {name} has labels {unknown} that name no part")
    return np.ascontiguousarray(pixels)


def _pose(twin: Twin, pose: str) -> TwinPose:
    for candidate in twin.poses:
        if candidate.pose == pose:
            return candidate
    raise UnusableTwin(f"{twin.twin_id}: has no pose {pose!r}, only {', '.join(p.pose for p in twin.poses) or 'none'}")


def _depth(pixels: np.ndarray) -> F32:
    """Metres from a 16-bit picture in steps of DEPTH_UNIT_M."""
    metres: F32 = pixels.astype(np.float32) * np.float32(DEPTH_UNIT_M)
    return metres


def _normals(pixels: np.ndarray) -> F32:
    """Unit vectors from an 8-bit RGB picture, (value - 127.5) / 127.5; black is no surface."""
    vectors = (pixels[..., :3].astype(np.float32) - 127.5) / 127.5
    vectors[~pixels[..., :3].any(axis=-1)] = 0
    unit: F32 = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
    return unit


def twin_digest(twin: Twin, pose: str = "standing") -> str:
    """Content address of one pose, without reading it: part of the recipe. Raises UnusableTwin."""
    chosen = _pose(twin, pose)
    names = (chosen.image, chosen.parts, chosen.body_parts, chosen.depth, chosen.normals)
    files = {name: twin.sha256.get(name) for name in names if name is not None}
    return digest_of({"pose": chosen.model_dump(), "files": files})


def load_twin(twin: Twin, read: Callable[[str], bytes], pose: str = "standing") -> TwinReference:
    """One pose of a twin, its files verified by sha256 and agreeing in size.

    `read` gives the bytes of a name relative to the twin's folder (FileNotFoundError if there is none).
    Raises UnusableTwin, saying which file and why.
    """
    chosen = _pose(twin, pose)
    named = {"image": chosen.image, "parts": chosen.parts, "body_parts": chosen.body_parts}
    named |= {kind: name for kind, name in (("depth", chosen.depth), ("normals", chosen.normals)) if name}
    pictures = {kind: _pixels(twin, name, _verified(twin, name, read)) for kind, name in named.items()}
    for kind, pixels in pictures.items():
        if pixels.shape[:2] != (chosen.height, chosen.width):
            found = f"{pixels.shape[1]} x {pixels.shape[0]}"
            raise UnusableTwin(f"{twin.twin_id}: {named[kind]} is {found}, not {chosen.width} x {chosen.height}")
    return TwinReference(
        twin=twin,
        pose=pose,
        digest=twin_digest(twin, pose),
        rgba=_rgba(twin, chosen.image, pictures["image"]),
        parts=_labels(twin, chosen.parts, pictures["parts"]),
        body_parts=_labels(twin, chosen.body_parts, pictures["body_parts"]),
        keypoints=dict(chosen.keypoints),
        ground_y=chosen.ground_y,
        camera=chosen.camera,
        depth=_depth(pictures["depth"]) if "depth" in pictures else None,
        normals=_normals(pictures["normals"]) if "normals" in pictures else None,
    )
