"""The garment's full state, as product-data systems send it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Category, Channel, Format, Identifier, Schema, Sha256, Word

Lifecycle = Literal["design", "sample", "sale"]
ImageKind = Literal["photo", "render", "sketch", "swatch"]


class GarmentImage(Schema):
    uri: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    view: Literal["front", "back", "side", "detail"] = "front"
    kind: ImageKind = "photo"
    sha256: Sha256 | None = None


class Garment(Schema):
    """`sizes` are garment measurements in centimetres per size name."""

    sku: Identifier
    version: Annotated[int, Field(ge=1)]
    brand: Identifier
    category: Category
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    images: Annotated[tuple[GarmentImage, ...], Field(min_length=1, max_length=20)]
    markets: Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")], ...], Field(min_length=1)]
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    formats: Annotated[tuple[Format, ...], Field(min_length=1)]
    contexts: tuple[Word, ...] = ()
    colours: tuple[str, ...] = ()
    composition: str | None = None
    sizes: dict[str, dict[str, Annotated[float, Field(gt=0, lt=400)]]] = {}
    lifecycle: Lifecycle = "sale"
    campaign: Identifier | None = None

    @model_validator(mode="after")
    def _has_front(self) -> "Garment":
        if not any(image.view == "front" for image in self.images):
            raise ValueError("images: one image must have view 'front'")
        return self

    @property
    def front(self) -> GarmentImage:
        return next(image for image in self.images if image.view == "front")
