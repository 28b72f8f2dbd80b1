"""Scene: a locale preset of backdrop, light, tone and label text."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.base import Identifier, Schema, Sha256


class Light(Schema):
    """`direction` is a unit-ish (x, y) towards the light in image axes; `temperature_k` in kelvin."""

    direction: tuple[float, float]
    intensity: float = 1.0
    temperature_k: float = 5600.0
    softness: float = 0.5


class Tone(Schema):
    warmth: float = 0.0
    contrast: float = 1.0


class Scene(Schema):
    """`floor_y` and `horizon_y` are fractions of the backdrop's height; feet stand at `floor_y`."""

    scene: Identifier
    title: str
    market: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    language: str
    backdrop: str
    sha256: Sha256
    width: int
    height: int
    floor_y: Annotated[float, Field(gt=0, le=1)]
    horizon_y: Annotated[float, Field(ge=0, le=1)]
    light: Light
    tone: Tone = Tone()
    label_text: str
