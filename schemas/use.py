"""Use: one point in the space that grants permit regions of."""

from typing import Annotated

from pydantic import StringConstraints

from schemas.base import Category, Channel, Format, Identifier, Instant, Schema, Word


class Use(Schema):
    """What exactly is to be made and shown. All of `channels` and `edits` must be permitted, no context excluded."""

    talent_id: Identifier
    twin_id: Identifier
    brand: Identifier
    campaign: Identifier | None = None
    category: Category
    territory: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    channels: tuple[Channel, ...]
    format: Format
    contexts: tuple[Word, ...] = ()
    edits: tuple[Word, ...] = ("clothing", "background", "lighting")
    starts_at: Instant
    ends_at: Instant
