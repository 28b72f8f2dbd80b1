"""Grant: one consent record of a talent; ConsentView: all that decisions about one talent rest on."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Identifier, Instant, Schema, Territory, Word

Approval = Literal["none", "talent", "agency"]
OnWithdrawal = Literal["stop_new", "run_off", "take_down"]


class Scope(Schema):
    """What is permitted; what is not named is not permitted. `*` permits all of a kind."""

    brands: tuple[Identifier | Literal["*"], ...] = ()
    garment_categories: tuple[Word, ...] = ()
    territories: tuple[Territory, ...] = ()
    channels: tuple[Word, ...] = ()
    formats: tuple[str, ...] = ()
    excluded_contexts: tuple[Word, ...] = ()
    edits: tuple[Word, ...] = ()


class Rate(Schema):
    amount: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=4)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    per: Literal["asset", "use", "day"] = "asset"


class Grant(Schema):
    """One version of a consent record, in full; versions are the issuer's and never edited."""

    talent_id: Identifier
    grant_id: Identifier
    version: Annotated[int, Field(ge=1)]
    signed_at: Instant
    effective_from: Instant
    effective_to: Instant
    scope: Scope
    approval: Approval = "none"
    on_withdrawal: OnWithdrawal = "take_down"
    run_off_days: Annotated[int, Field(ge=0, le=3650)] = 0
    rate: Rate | None = None
    max_uses: Annotated[int, Field(ge=1)] | None = None
    exclusive: bool = False
    agency: Identifier | None = None

    @model_validator(mode="after")
    def _period_is_a_period(self) -> "Grant":
        if self.effective_to <= self.effective_from:
            raise ValueError("effective_to: must be after effective_from")
        return self


class GrantStatus(Schema):
    """One grant of the talent as it stands, derived from all of its facts by tasks.protocol.

    `floor`: versions up to here are withdrawn. `alive`: the versions that are not. `current`: the highest of these.
    `latest`: the highest version known, alive or not; spared assets are judged by it when nothing is alive.
    `spared`: per withdrawn version, until when assets made under it may still be served (`run_off`: a date;
    `stop_new`: the end of each asset's use, written as the grant's end). A version in neither is gone.
    """

    grant_id: Identifier
    floor: int = 0
    alive: tuple[int, ...] = ()
    current: Grant | None = None
    latest: Grant | None = None
    spared: dict[int, datetime] = {}
    uses: int = 0
    """Published and intended assets under this grant, for max_uses."""


class ConsentView(Schema):
    """All that a decision about one talent may look at, read from the ledger in one statement."""

    talent_id: Identifier
    fence: int = 0
    on_hold: bool = False
    withdrawn_at: datetime | None = None
    """Everything signed up to here is withdrawn."""
    grants: tuple[GrantStatus, ...] = ()
