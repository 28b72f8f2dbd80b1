"""A diffusers pipeline behind the Generator port: it redraws the garment's region of a draft, and nothing else.

torch and diffusers are loaded when the first look is asked for, never at import.
"""

import threading
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

from infra.models.profile import Profile, verify_files
from schemas.recipe import digest_of
from tasks.errors import ChecksFailed, Interrupted, Misconfigured
from tasks.imaging.dress import dress
from tasks.imaging.pictures import F32, U8, GeneratedLook, GenerateRequest
from tasks.imaging.studio import over_ground
from tasks.imaging.warp import Box
from tasks.ports import ShouldStop

MARGIN = 0.12
"""Room around the garment's region that the pipeline sees, as a share of the region's longer side."""
REACH = 9
"""Pixels by which the mask that the pipeline fills is wider than the garment, so that no rim of the draft is left."""


class DiffusersGenerator:
    """Generator port over one profile. One look at a time; `should_stop` is asked at every denoising step."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        described = profile.model_dump(mode="json", exclude={"folder", "device"})
        self.name = f"{profile.name}-{digest_of(described)[:12]}"
        self.commercial_use = profile.licence.commercial_use
        self._pipe: Any = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Verify every file, then load the pipeline. Raises Misconfigured."""
        if self._pipe is not None:
            return
        verify_files(self.profile)
        import diffusers
        import torch

        pipeline_class = getattr(diffusers, self.profile.pipeline)
        dtype = getattr(torch, self.profile.dtype)
        try:
            pipe = pipeline_class.from_pretrained(
                str(self.profile.folder), torch_dtype=dtype, use_safetensors=True, local_files_only=True
            )
        except (OSError, ValueError) as error:
            message = f"profile {self.profile.name}: {error}"
            raise Misconfigured(message, code="pipeline_unloadable") from error
        pipe.set_progress_bar_config(disable=True)
        self._pipe = pipe.to(self.profile.device)

    def generate(self, requests: Sequence[GenerateRequest], should_stop: ShouldStop) -> list[GeneratedLook]:
        with self._lock:
            looks = []
            for request in requests:
                if should_stop():
                    raise Interrupted("told to stop before a look was generated")
                self.load()
                looks.append(self._redraw(request, dress(request.twin, request.garment, self.name), should_stop))
            return looks

    def _redraw(self, request: GenerateRequest, draft: GeneratedLook, should_stop: ShouldStop) -> GeneratedLook:
        worn = draft.garment_alpha
        if worn is None or not (worn > 0.5).any():
            raise ChecksFailed("the draft shows no garment to redraw", code="nothing_worn")
        box = self._region(worn)
        at = box.slices
        drawn = self._run(draft.image[at], worn[at], request, should_stop)
        share = worn[at][..., None]
        image = draft.image.copy()
        mixed = draft.image[at].astype(np.float32) * (1 - share) + drawn.astype(np.float32) * share
        image[at] = np.rint(mixed).astype(np.uint8)
        changed = (image != over_ground(request.twin.rgba)).any(axis=2)
        notes = draft.notes if self.commercial_use else (*draft.notes, "preview_only")
        return GeneratedLook(
            image=image,
            silhouette=draft.silhouette,
            garment_alpha=worn,
            covered=np.maximum(draft.covered, changed).astype(np.float32),
            generator=self.name,
            source_scale=draft.source_scale,
            notes=notes,
        )

    def _region(self, worn: F32) -> Box:
        """The garment's box with its margin, widened to the profile's shape as far as the picture goes."""
        height, width = worn.shape
        rows, columns = np.flatnonzero((worn > 0).any(axis=1)), np.flatnonzero((worn > 0).any(axis=0))
        corners = np.array([[columns[0], rows[0]], [columns[-1], rows[-1]]], np.float64)
        extent = corners[1] - corners[0]
        margin = int(MARGIN * extent.max()) + REACH
        shape = self.profile.width / self.profile.height
        wide = max(0.0, (extent[1] + 2 * margin) * shape - extent[0] - 2 * margin) / 2
        high = max(0.0, (extent[0] + 2 * margin) / shape - extent[1] - 2 * margin) / 2
        grown = corners + np.array([[-wide, -high], [wide, high]])
        return Box.around([grown], margin, width, height)

    def _run(self, image: U8, worn: F32, request: GenerateRequest, should_stop: ShouldStop) -> U8:
        """The pipeline's picture of the region, at the region's size."""
        import torch

        def at_each_step(_pipe: Any, _step: int, _time: Any, state: dict[str, Any]) -> dict[str, Any]:
            if should_stop():
                raise Interrupted("told to stop while denoising")
            return state

        size = (self.profile.width, self.profile.height)
        mask = cv2.dilate((worn > 0).astype(np.uint8) * 255, np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8))
        arguments: dict[str, Any] = dict(self.profile.arguments)
        if self.profile.reference is not None:
            reference = Image.fromarray(over_ground(request.garment.rgba))
            arguments[self.profile.reference] = reference.resize(size, Image.Resampling.LANCZOS)
        result = self._pipe(
            prompt=self.profile.prompt,
            image=Image.fromarray(image).resize(size, Image.Resampling.LANCZOS),
            mask_image=Image.fromarray(mask).resize(size, Image.Resampling.BILINEAR),
            width=size[0],
            height=size[1],
            num_inference_steps=self.profile.steps,
            generator=torch.Generator("cpu").manual_seed(request.seed),
            callback_on_step_end=at_each_step,
            **arguments,
        )
        drawn = result.images[0].convert("RGB").resize((image.shape[1], image.shape[0]), Image.Resampling.LANCZOS)
        return np.asarray(drawn, np.uint8)
