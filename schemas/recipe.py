"""Recipe: all that determines a look's pixels, content-addressed per stage."""

import hashlib
import json
from typing import Any

from schemas.base import Schema, Sha256


def digest_of(content: Any) -> str:
    """sha256 (hex) of the canonical JSON of `content`: sorted keys, no spaces, UTF-8."""
    raw = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(raw.encode()).hexdigest()


class Recipe(Schema):
    """Inputs by content hash, parts by name and version. Grants are not in it: consent changes touch no pixel."""

    garment_image: Sha256
    category: str
    twin: Sha256
    pose: str
    generator: str
    segmenter: str
    scene: Sha256
    label_text: str
    format: str
    seed: int = 0
    suffix: str
    """Version of composite, label and marking code."""

    def look_digest(self) -> str:
        """Address of the generated and cut-out look: everything before the scene."""
        keep = ("garment_image", "category", "twin", "pose", "generator", "segmenter", "seed")
        return digest_of({name: getattr(self, name) for name in keep})

    def digest(self) -> str:
        return digest_of(self.model_dump())
