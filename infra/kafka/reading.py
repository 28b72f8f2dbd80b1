"""From the bytes of a Kafka record to what the ledger takes in, or to a dead letter that says what is wrong with them.

Pure: no clients, no clock. Each check raises; the two `read_…` functions turn what was raised into dead letters.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from schemas.base import Identifier, Schema
from schemas.consent import Granted, Narrowed, Withdrawn
from schemas.envelope import (
    CONSENT_TYPES,
    MAX_EVENT_BYTES,
    SIGNATURE_HEADER,
    TOPIC_TYPES,
    CloudEvent,
    MalformedEvent,
    check_routing,
    explain,
    parse_event,
)
from schemas.garment import Garment
from tasks.errors import BadSignature, InvalidEvent, PermanentError
from tasks.ports import ConsentFact, DeadLetter, InboxRow, SourceKeys

WITHDRAWN = "likeness.consent.withdrawn"
CONSENT_FACTS: dict[str, type[Granted] | type[Narrowed] | type[Withdrawn]] = {
    "likeness.consent.granted": Granted,
    "likeness.consent.narrowed": Narrowed,
    WITHDRAWN: Withdrawn,
}
LARGEST_NUMBER = 2**31 - 1
Payload = TypeVar("Payload", bound=Schema)
_TALENT: TypeAdapter[str] = TypeAdapter(Identifier)


@dataclass(frozen=True)
class Record:
    """A Kafka record as it came; `value` is empty for a record without one."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]]

    @property
    def next_position(self) -> tuple[str, int, int]:
        return self.topic, self.partition, self.offset + 1

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.value).hexdigest()

    def dead(self, error: PermanentError, event: CloudEvent | None = None) -> DeadLetter:
        return DeadLetter(
            self.topic,
            self.partition,
            self.offset,
            self.key,
            self.value,
            error.code,
            error.message,
            event.source if event else None,
            event.id if event else None,
        )


@dataclass(frozen=True)
class ConsentRecord:
    """A consent record, read: the fact, or the dead letter and the talent whose new work must wait for a person."""

    record: Record
    source: str
    event_id: str
    fact: ConsentFact | None = None
    dead: DeadLetter | None = None
    hold_talent: str | None = None


def read_garment(record: Record, keys: SourceKeys) -> InboxRow | DeadLetter:
    event: CloudEvent | None = None
    try:
        event = envelope(record)
        authenticate(record, event, keys)
        garment = garment_of(event)
    except PermanentError as error:
        return record.dead(error, event)
    return InboxRow(
        record.topic,
        record.partition,
        record.offset,
        event.source,
        event.id,
        record.digest,
        event.type,
        event.subject,
        record.value,
        garment,
        event.time,
    )


def read_consent(record: Record, keys: SourceKeys) -> ConsentRecord:
    event: CloudEvent | None = None
    try:
        event = envelope(record)
        authenticate(record, event, keys)
        fact = fact_of(event)
    except PermanentError as error:
        return refused(record, error, event)
    return ConsentRecord(record, event.source, event.id, fact=fact)


def check_event(record: Record) -> CloudEvent:
    """Everything that is checked at intake but the signature. Raises InvalidEvent."""
    event = envelope(record)
    if event.type in CONSENT_FACTS:
        fact_of(event)
    else:
        garment_of(event)
    return event


def garment_of(event: CloudEvent) -> Garment:
    """The garment that the event states, about its own subject. Raises InvalidEvent."""
    garment = _payload(Garment, event)
    if garment.sku != event.subject:
        raise InvalidEvent(f"data.sku {garment.sku!r} is not the subject {event.subject!r}", code="key_mismatch")
    return garment


def fact_of(event: CloudEvent) -> ConsentFact:
    """The consent fact that the event states, about its own subject. Raises InvalidEvent."""
    fact = _payload(CONSENT_FACTS[event.type], event)
    if fact.talent_id != event.subject:
        raise InvalidEvent(
            f"data.talent_id {fact.talent_id!r} is not the subject {event.subject!r}", code="key_mismatch"
        )
    return fact


def refused(record: Record, error: PermanentError, event: CloudEvent | None = None) -> ConsentRecord:
    """A consent record that cannot be taken; a withdrawal among them puts its talent on hold."""
    talent = talent_to_hold(record) if is_withdrawal(record) else None
    name = (event.source, event.id) if event else ("", f"{record.topic}/{record.partition}/{record.offset}")
    return ConsentRecord(record, *name, dead=record.dead(error, event), hold_talent=talent)


def envelope(record: Record) -> CloudEvent:
    """The event, belonging to its topic and key, in values that every part can keep. Raises InvalidEvent."""
    try:
        event = parse_event(record.value)
        if not any(event.type in types for types in TOPIC_TYPES.values()):
            raise InvalidEvent(f"nobody takes events of type {event.type}", code="unknown_type")
        check_routing(event, record.topic, record.key)
    except MalformedEvent as error:
        raise InvalidEvent(error.message, code=error.code) from None
    _check_values(event.data)
    for text in (event.id, event.source, event.subject):
        _check_values(text)
    return event


def authenticate(record: Record, event: CloudEvent, keys: SourceKeys) -> None:
    """Raises BadSignature unless exactly one header signs these bytes by a key that may say this."""
    found = [value for name, value in record.headers if name.lower() == SIGNATURE_HEADER]
    if len(found) != 1:
        code = "signature_missing" if not found else "signature_ambiguous"
        raise BadSignature(f"{len(found)} headers {SIGNATURE_HEADER}; there must be one", code=code)
    try:
        signature = found[0].decode("ascii")
    except UnicodeDecodeError:
        raise BadSignature(f"the header {SIGNATURE_HEADER} is not ASCII", code="signature_malformed") from None
    keys.verify(record.value, signature, source=event.source, event_type=event.type, subject=event.subject)


def is_withdrawal(record: Record) -> bool:
    """Does it mean to be a withdrawal, however broken it is? A false yes costs a look by a person, a false no more."""
    content = _lenient(record.value)
    if isinstance(content, dict) and isinstance(content.get("type"), str) and content["type"] in CONSENT_TYPES:
        return bool(content["type"] == WITHDRAWN)
    return b"withdrawn" in record.value


def talent_to_hold(record: Record) -> str | None:
    """Whom a broken withdrawal is about by its data, else its subject, else the record's key; None if unreadable."""
    content = _lenient(record.value)
    said: list[Any] = []
    if isinstance(content, dict):
        data = content.get("data")
        said = [data.get("talent_id") if isinstance(data, dict) else None, content.get("subject")]
    said.append(record.key.decode("utf-8", "replace") if record.key else None)
    for candidate in said:
        try:
            return _TALENT.validate_python(candidate, strict=True)
        except ValidationError:
            continue
    return None


def _lenient(value: bytes) -> Any:
    """JSON as far as it can be read, for telling whom a broken event is about."""
    if len(value) > 16 * MAX_EVENT_BYTES:
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _payload(schema: type[Payload], event: CloudEvent) -> Payload:
    try:
        return schema.model_validate(event.data)
    except ValidationError as error:
        raise InvalidEvent(explain(error), code="invalid_data") from None


def _check_values(value: Any) -> None:
    """Raises InvalidEvent for text that no database keeps (NUL, half a surrogate pair) and for numbers too large."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidEvent("a text has a NUL or half a surrogate pair", code="invalid_data")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_values(name)
            _check_values(item)
    elif isinstance(value, list):
        for item in value:
            _check_values(item)
    elif isinstance(value, int | float) and abs(value) > LARGEST_NUMBER:
        raise InvalidEvent(f"the number {value:.6g} is beyond {LARGEST_NUMBER}", code="invalid_data")
