"""Decision: permit, deny or needs-approval, with every coded reason and the grant version it rests on."""

from datetime import datetime
from typing import Literal

from schemas.base import Identifier, Schema

Outcome = Literal["permit", "deny", "needs_approval"]
ReasonCode = Literal[
    "permitted",
    "no_grant",
    "on_hold",
    "withdrawn",
    "not_yet_effective",
    "expired",
    "brand_not_permitted",
    "category_not_permitted",
    "territory_not_permitted",
    "channel_not_permitted",
    "format_not_permitted",
    "context_excluded",
    "edit_not_permitted",
    "max_uses_reached",
    "exclusive_to_other",
    "approval_required",
    "superseded_grant",
    "asset_not_published",
    "fence_raised",
]


class Reason(Schema):
    code: ReasonCode
    detail: str
    grant_id: Identifier | None = None


class Decision(Schema):
    outcome: Outcome
    reasons: tuple[Reason, ...]
    talent_id: Identifier
    grant_id: Identifier | None = None
    grant_version: int | None = None
    fence: int
    at: datetime

    @property
    def permitted(self) -> bool:
        return self.outcome == "permit"
