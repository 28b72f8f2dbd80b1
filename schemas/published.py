"""The events that Likeness sends: the `data` of each type on `likeness.assets`, and the dead letter's headers.

Readers must accept fields that they do not know: later versions add, and never take away.
"""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from schemas.asset import Cause, ObjectState
from schemas.base import Format, Identifier, Instant, Schema
from schemas.consent import Effect
from schemas.decision import Outcome, Reason


class Sent(Schema):
    """What we send may grow."""

    model_config = ConfigDict(frozen=True, extra="allow")


class InAnswerTo(Sent):
    """The event that is answered, or that was the cause."""

    source: str
    id: str


class GarmentAccepted(Sent):
    """`likeness.garment.accepted`: the event is in the inbox."""

    sku: Identifier
    version: int
    in_answer_to: InAnswerTo


class GarmentDressed(Sent):
    """`likeness.garment.dressed`: the event is done. `outcome` is dressed or superseded; counts follow."""

    sku: Identifier
    version: int
    outcome: str
    in_answer_to: InAnswerTo


class GarmentFailed(Sent):
    """`likeness.garment.failed`: nothing can be made of the event; `code` and `message` say why."""

    sku: Identifier
    version: int
    outcome: str
    in_answer_to: InAnswerTo
    code: str
    message: str


class CellFacts(Sent):
    cell_id: Identifier
    sku: Identifier
    garment_version: int
    twin_id: Identifier
    scene: Identifier
    format: Format


class AssetPublished(CellFacts):
    """`likeness.asset.published`: the gate serves this image while consent holds."""

    asset_id: Identifier
    grant_id: Identifier
    grant_version: int
    sha256: str
    content_type: str
    width: int
    height: int
    phash: str
    preview_only: bool


class AssetBlocked(CellFacts):
    """`likeness.asset.blocked`: consent does not permit this cell; `alternative` names what would be permitted."""

    decision_id: int
    outcome: Outcome
    reasons: tuple[Reason, ...]
    alternative: str | None = None


class AssetRejected(CellFacts):
    """`likeness.asset.rejected`: the image was made and did not pass its checks; `failing` names the measures."""

    recipe_digest: str
    failing: dict[str, Any]


class AssetRevoked(Sent):
    """`likeness.asset.revoked`: nothing is left of the image but a tombstone. Take down your copies."""

    asset_id: Identifier
    object_id: Identifier
    twin_id: Identifier
    cause: Cause | None
    state: ObjectState


class WithdrawalCompleted(Sent):
    """`likeness.withdrawal.completed`: the sweep is done. `receipt` is the compact JWS, null where it is too large."""

    withdrawal_id: Identifier
    effect: Effect
    recorded_at: Instant
    completed_at: Instant
    receipt: str | None


class ConsentConflictFound(Sent):
    """`likeness.consent.conflict`: a grant version said two things, or came with a taken number."""

    talent_id: Identifier
    grant_id: Identifier | None
    version: int | None
    effect: Annotated[str, Field(description="dead_on_arrival or conflict")]
    on_hold: bool
    next_free_version: int | None
    detail: str
    caused_by: InAnswerTo


PUBLISHED: dict[str, type[Sent]] = {
    "likeness.garment.accepted": GarmentAccepted,
    "likeness.garment.dressed": GarmentDressed,
    "likeness.garment.failed": GarmentFailed,
    "likeness.asset.published": AssetPublished,
    "likeness.asset.blocked": AssetBlocked,
    "likeness.asset.rejected": AssetRejected,
    "likeness.asset.revoked": AssetRevoked,
    "likeness.withdrawal.completed": WithdrawalCompleted,
    "likeness.consent.conflict": ConsentConflictFound,
}
"""Type -> what its `data` holds; all of them travel on `likeness.assets`."""

DEAD_LETTER_HEADERS = (
    "origin-topic",
    "origin-partition",
    "origin-offset",
    "error-code",
    "error-message",
    "attempts",
    "time",
)
"""Kafka headers of a record on `likeness.deadletter`; its value is the original bytes, its key the original key."""
