"""Consent: the one path that every consent fact takes, from API and event alike."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from infra.keys import HOUSE_SOURCE
from infra.postgres import outgoing, standing
from infra.postgres.engine import FENCE_CHANNEL, Database
from schemas.consent import Effect, Withdrawn
from schemas.envelope import SIGNATURE_HEADER, TOPIC_CONSENT
from schemas.grant import ConsentView
from tasks import protocol
from tasks.errors import ConsentConflict, InvalidEvent, PermanentError
from tasks.ports import ConsentFact, ConsentOutcome
from tasks.protocol import Recorded, Standing


@dataclass(frozen=True)
class Said:
    """A fact with who said it, where and in which bytes."""

    fact: ConsentFact
    source: str
    event_id: str
    raw: bytes
    by: str = ""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


class SameIdOtherBytes(PermanentError):
    """The same (source, id) came before with other bytes."""

    code = "same_id_other_bytes"


async def record(connection: asyncpg.Connection, said: Said) -> ConsentOutcome:
    """Merge one fact under the talent's lock. Raises InvalidEvent and SameIdOtherBytes before anything is changed."""
    fact = said.fact
    talent = await standing.lock(connection, fact.talent_id)
    known = await connection.fetchrow(
        "select raw_digest, fence from consent_facts where source = $1 and event_id = $2", said.source, said.event_id
    )
    if known is not None:
        if known["raw_digest"] != said.digest:
            raise SameIdOtherBytes(f"{said.source} {said.event_id} came before with other bytes")
        return ConsentOutcome("duplicate", fact.talent_id, talent["fence"], detail="the same event again")
    at = await connection.fetchval("select clock_timestamp()")
    if (refusal := protocol.refusal(fact, at)) is not None:
        raise InvalidEvent(refusal, code="signed_in_future")
    before = await standing.load(connection, talent)
    recorded = protocol.record(before, fact)
    after = recorded.standing
    if recorded.effect != "duplicate":
        await standing.save(connection, before, after, recorded.detail if recorded.clash else None)
    withdrawal_id = None
    if recorded.withdraws and isinstance(fact, Withdrawn):
        withdrawal_id = await _insert_withdrawal(connection, said, fact, after.fence)
    await _insert_fact(connection, said, recorded)
    if recorded.clash or recorded.effect == "dead_on_arrival":
        await outgoing.put(connection, [_conflict(said, recorded, at)])
    if recorded.effect != "duplicate":
        await _notify(connection, after)
    return ConsentOutcome(
        recorded.effect, fact.talent_id, after.fence, withdrawal_id, recorded.next_free_version, recorded.detail
    )


async def _insert_withdrawal(connection: asyncpg.Connection, said: Said, fact: Withdrawn, fence: int) -> str:
    withdrawal_id = f"wd-{secrets.token_hex(8)}"
    await connection.execute(
        "insert into withdrawals (withdrawal_id, talent_id, grant_id, version, effective_at, effect, reason, digest,"
        " fence, said_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        withdrawal_id,
        fact.talent_id,
        fact.grant_id,
        fact.version,
        fact.effective_at,
        fact.effect,
        fact.reason,
        protocol.content_digest(fact),
        fence,
        said.by or said.source,
    )
    return withdrawal_id


async def _insert_fact(connection: asyncpg.Connection, said: Said, recorded: Recorded) -> None:
    await connection.execute(
        "insert into consent_facts (source, event_id, raw_digest, kind, talent_id, grant_id, version, effect, detail,"
        " fence, raw, said_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        said.source,
        said.event_id,
        said.digest,
        type(said.fact).__name__.lower(),
        said.fact.talent_id,
        said.fact.grant_id,
        said.fact.version,
        recorded.effect,
        recorded.detail,
        recorded.standing.fence,
        said.raw,
        said.by,
    )


def _conflict(said: Said, recorded: Recorded, at: datetime) -> outgoing.Outgoing:
    fact = said.fact
    data = {
        "talent_id": fact.talent_id,
        "grant_id": fact.grant_id,
        "version": fact.version,
        "effect": recorded.effect,
        "on_hold": recorded.standing.on_hold,
        "next_free_version": recorded.next_free_version,
        "detail": recorded.detail,
        "caused_by": {"source": said.source, "id": said.event_id},
    }
    event_id = f"conflict-{protocol.content_digest(fact)[:32]}"
    return outgoing.event(event_id, "likeness.consent.conflict", fact.talent_id, at, data)


async def _notify(connection: asyncpg.Connection, after: Standing) -> None:
    await connection.execute("select pg_notify($1, $2)", FENCE_CHANNEL, f"{after.fence} {after.talent_id}")


async def hold(connection: asyncpg.Connection, talent_id: str, reason: str) -> None:
    """New work for the talent stops at once; live assets stay."""
    before = await standing.load(connection, await standing.lock(connection, talent_id))
    after = protocol.hold(before)
    await standing.save(connection, before, after, reason)
    await _notify(connection, after)


class ConsentPart:
    """ConsentLedger. `_sign_fact` signs what we say on the consent topic ourselves, as the house's source."""

    _db: Database
    _sign_fact: Callable[[bytes], str] | None

    async def record_consent(self, fact: ConsentFact, *, source: str, event_id: str, raw: bytes) -> ConsentOutcome:
        async with self._db.transaction() as connection:
            return await record(connection, Said(fact, source, event_id, raw))

    async def withdraw(
        self,
        talent_id: str,
        grant_id: str | None,
        effect: Effect,
        reason: str,
        *,
        by: str,
        effective_at: datetime | None,
    ) -> ConsentOutcome:
        async with self._db.transaction() as connection:
            before = await standing.load(connection, await standing.lock(connection, talent_id))
            at = await connection.fetchval("select clock_timestamp()")
            fact = Withdrawn(
                talent_id=talent_id,
                grant_id=grant_id,
                version=None if grant_id is None else protocol.next_free_version(before, grant_id),
                effective_at=effective_at or at,
                effect=effect,
                reason=reason,
            )
            event_id = f"withdrawn-{secrets.token_hex(8)}"
            raw = outgoing.cloud_event(
                HOUSE_SOURCE, event_id, "likeness.consent.withdrawn", talent_id, at, fact.model_dump(mode="json")
            )
            outcome = await record(connection, Said(fact, HOUSE_SOURCE, event_id, raw, by))
            headers = () if self._sign_fact is None else ((SIGNATURE_HEADER, self._sign_fact(raw).encode()),)
            await outgoing.put(
                connection, [outgoing.Outgoing(f"consent-{event_id}", TOPIC_CONSENT, talent_id, raw, headers)]
            )
            return outcome

    async def view(self, talent_id: str) -> ConsentView:
        return (await self.views([talent_id]))[talent_id]

    async def views(self, talent_ids: Sequence[str]) -> dict[str, ConsentView]:
        """A talent of whom nothing is known has an empty view: nothing is permitted."""
        async with self._db.read() as connection:
            known = await standing.views(connection, talent_ids)
        return {
            talent_id: known[talent_id][0] if talent_id in known else ConsentView(talent_id=talent_id)
            for talent_id in talent_ids
        }

    async def hold(self, talent_id: str, reason: str) -> None:
        async with self._db.transaction() as connection:
            await hold(connection, talent_id, reason)

    async def release(self, talent_id: str, *, by: str, reason: str) -> None:
        """Raises ConsentConflict when the talent is not on hold."""
        async with self._db.transaction() as connection:
            talent = await standing.lock(connection, talent_id)
            if not talent["on_hold"]:
                raise ConsentConflict(f"talent {talent_id} is not on hold", code="not_on_hold")
            before = await standing.load(connection, talent)
            await standing.save(connection, before, protocol.release(before), None)
            await connection.execute(
                "insert into consent_facts (source, event_id, raw_digest, kind, talent_id, effect, detail, fence, raw,"
                " said_by) values ($1, $2, '', 'released', $3, 'applied', $4, $5, '', $6)",
                outgoing.SOURCE,
                f"released-{secrets.token_hex(8)}",
                talent_id,
                reason,
                before.fence,
                by,
            )

    async def fence(self, talent_id: str) -> int:
        async with self._db.read() as connection:
            return await connection.fetchval("select fence from talents where talent_id = $1", talent_id) or 0
