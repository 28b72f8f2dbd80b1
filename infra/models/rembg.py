"""Segmenters through rembg: our own small model, which comes along, and any rembg model whose file is there.

Nothing is ever downloaded. rembg stretches every mask to 0..1, so that an empty picture yields a confident mask; our
session returns what the network said.
"""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from tasks.errors import Misconfigured
from tasks.imaging.pictures import F32, U8
from tasks.ports import Recognition

WEIGHTS = Path(__file__).parent / "weights" / "garment.onnx"
OWN_NAME = "likeness-garment-1"
SIZE = 320
KINDS = ("top", "dress", "skirt", "trousers", "shorts", "jumpsuit", "outerwear", "not_garment")
OFFERED = (
    "u2net", "u2netp", "u2net_human_seg", "silueta", "isnet-general-use", "birefnet-general", "birefnet-general-lite",
    "birefnet-portrait", "birefnet-dis", "birefnet-massive",
)  # fmt: skip
"""Models of rembg that run on this machine; those that call a remote service are not among them."""


def _letterbox(image: U8) -> tuple[U8, float, int, int]:
    """The image in a SIZE x SIZE square, mirrored at its borders: (square, scale, left, top)."""
    height, width = image.shape[:2]
    scale = SIZE / max(height, width)
    inner = cv2.resize(
        image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    left, top = (SIZE - inner.shape[1]) // 2, (SIZE - inner.shape[0]) // 2
    right, bottom = SIZE - inner.shape[1] - left, SIZE - inner.shape[0] - top
    border = cv2.BORDER_REFLECT_101 if min(inner.shape[:2]) > max(left, top, right, bottom) else cv2.BORDER_REPLICATE
    return cv2.copyMakeBorder(inner, top, bottom, left, right, border), scale, left, top


class GarmentSegmenter:
    """Implements tasks.ports.Segmenter and Recogniser with the model in weights/garment.onnx."""

    name = OWN_NAME

    def __init__(self, weights: Path = WEIGHTS) -> None:
        if not weights.is_file():
            raise Misconfigured(f"the segmenter's weights are not there: {weights}")
        self._session = _garment_session(weights)

    def cut_out(self, image: U8) -> F32:
        mask, _, _ = self._run(image)
        return mask

    def recognise(self, image: U8) -> Recognition:
        _, kinds, turns = self._run(image)
        return Recognition(dict(zip(KINDS, map(float, kinds), strict=True)), tuple(map(float, turns)))

    def _run(self, image: U8) -> tuple[F32, F32, F32]:
        square, scale, left, top = _letterbox(image)
        mask, kinds, turns = self._session.answer(square)
        mirrored, _, _ = self._session.answer(np.ascontiguousarray(square[:, ::-1]))
        mask = (mask + mirrored[:, ::-1]) / 2
        height, width = image.shape[:2]
        inner = mask[top : top + round(height * scale) or None, left : left + round(width * scale) or None]
        full = cv2.resize(inner, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.clip(full, 0, 1).astype(np.float32), _softmax(kinds), _softmax(turns)


def _softmax(logits: npt.NDArray[np.floating[Any]]) -> F32:
    shifted = np.exp(logits - logits.max())
    return np.asarray(shifted / shifted.sum(), np.float32)


def _garment_session(weights: Path) -> Any:
    """A rembg session class of our own, opened. rembg and onnxruntime are loaded here and not before."""
    import onnxruntime
    from rembg.sessions.base import BaseSession

    class GarmentSession(BaseSession):  # type: ignore[misc]  # rembg has no types
        @classmethod
        def download_models(cls, *args: Any, **kwargs: Any) -> str:
            return str(weights)

        @classmethod
        def name(cls, *args: Any, **kwargs: Any) -> str:
            return OWN_NAME

        def answer(self, square: U8) -> tuple[F32, F32, F32]:
            batch = ((square.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
            mask, kinds, turns = self.inner_session.run(None, {self.inner_session.get_inputs()[0].name: batch})
            return mask[0, 0], kinds[0], turns[0]

        def predict(self, img: Image.Image, *args: Any, **kwargs: Any) -> list[Image.Image]:
            """What rembg.remove(session=…) calls: the mask at the image's size, not stretched."""
            square, scale, left, top = _letterbox(np.asarray(img.convert("RGB")))
            mask = self.answer(square)[0]
            inner = mask[top : top + round(img.height * scale), left : left + round(img.width * scale)]
            levels = Image.fromarray(np.rint(np.clip(inner, 0, 1) * 255).astype(np.uint8))
            return [levels.resize(img.size, Image.Resampling.BILINEAR)]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return GarmentSession(OWN_NAME, options, providers=["CPUExecutionProvider"])


class NamedSegmenter:
    """Any other rembg model by name, from a file that is already there."""

    def __init__(self, name: str, session: Any) -> None:
        self.name = f"rembg-{name}"
        self._session = session

    def cut_out(self, image: U8) -> F32:
        mask = self._session.predict(Image.fromarray(image))[0]
        levels = np.asarray(mask.convert("L").resize((image.shape[1], image.shape[0]), Image.Resampling.BILINEAR))
        return (levels.astype(np.float32) / 255).astype(np.float32)


def open_segmenter(name: str = "", models: Path | None = None) -> GarmentSegmenter | NamedSegmenter:
    """Our own model, or rembg's `name` from `models`/<name>.onnx. Raises Misconfigured when it is not to be had."""
    if name in ("", OWN_NAME):
        return GarmentSegmenter()
    if name not in OFFERED:
        raise Misconfigured(f"segmenter {name!r} is not one of {OWN_NAME}, {', '.join(OFFERED)}")
    folder = models or Path(os.environ.get("REMBG_HOME", Path.home() / ".rembg"))
    file = folder / f"{name}.onnx"
    if not file.is_file():
        raise Misconfigured(f"segmenter {name!r}: put its weights at {file}; nothing is downloaded")
    os.environ["REMBG_HOME"] = os.environ["U2NET_HOME"] = str(folder)
    os.environ["MODEL_CHECKSUM_DISABLED"] = "1"  # or rembg would fetch its own copy over a file that differs
    from rembg import new_session

    return NamedSegmenter(name, new_session(name, providers=["CPUExecutionProvider"]))
