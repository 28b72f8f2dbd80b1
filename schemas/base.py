"""The frozen, strict model that every schema derives from, and the field types they share."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints


class Schema(BaseModel):
    """Frozen; unknown fields are refused, so a misspelt permission is an error and never silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9*][a-z0-9 _.:*-]*$")]
Territory = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2,3}|\*)$")]
Category = Literal["top", "dress", "skirt", "trousers", "shorts", "jumpsuit", "outerwear"]
Format = Literal["4:5", "1:1", "9:16", "16:9"]
Channel = Word
CATEGORIES: tuple[Category, ...] = ("top", "dress", "skirt", "trousers", "shorts", "jumpsuit", "outerwear")
FORMATS: tuple[Format, ...] = ("4:5", "1:1", "9:16", "16:9")
FORMAT_PIXELS: dict[Format, tuple[int, int]] = {
    "4:5": (1080, 1350),
    "1:1": (1080, 1080),
    "9:16": (1080, 1920),
    "16:9": (1920, 1080),
}
"""Width x height in pixels of each published format."""
