"""The consent facts as they are said: granted, narrowed, withdrawn."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Identifier, Instant, Schema
from schemas.grant import Grant

Effect = Literal["stop_new", "run_off", "take_down"]


class Granted(Grant):
    """`likeness.consent.granted`: the full state of a grant version."""


class Narrowed(Grant):
    """`likeness.consent.narrowed`: the full state of a grant version that permits less than the one before."""


class Withdrawn(Schema):
    """`likeness.consent.withdrawn`. `grant_id` null (then without `version`) withdraws all that was ever given."""

    talent_id: Identifier
    grant_id: Identifier | None
    version: Annotated[int, Field(ge=1)] | None = None
    effective_at: Instant
    effect: Effect
    reason: Annotated[str, StringConstraints(max_length=500)] = ""

    @model_validator(mode="after")
    def _version_goes_with_grant(self) -> "Withdrawn":
        if (self.grant_id is None) != (self.version is None):
            raise ValueError("version: give it with grant_id, and leave both out to withdraw everything")
        return self
