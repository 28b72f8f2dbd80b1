"""The CloudEvents 1.0 envelope in structured JSON, read strictly: what a producer must say and nothing else."""

import json
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, StringConstraints, ValidationError, field_validator

from schemas.base import Instant, Schema

MAX_EVENT_BYTES = 256 * 1024

GARMENT_TYPES = ("likeness.garment.created", "likeness.garment.updated", "likeness.garment.discontinued")
CONSENT_TYPES = ("likeness.consent.granted", "likeness.consent.narrowed", "likeness.consent.withdrawn")
TOPIC_GARMENTS, TOPIC_CONSENT = "likeness.garments", "likeness.consent"
TOPIC_ASSETS, TOPIC_DEADLETTER = "likeness.assets", "likeness.deadletter"
TOPIC_TYPES: dict[str, tuple[str, ...]] = {TOPIC_GARMENTS: GARMENT_TYPES, TOPIC_CONSENT: CONSENT_TYPES}
SIGNATURE_HEADER = "likeness-signature"


class MalformedEvent(ValueError):
    """The bytes are no event. `code` is one of oversized, not_utf8, not_json, duplicate_key, not_cloudevent,
    wrong_topic, key_mismatch, invalid_data."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class CloudEvent(Schema):
    model_config = ConfigDict(frozen=True, extra="ignore")  # CloudEvents allows extension attributes

    specversion: Literal["1.0"]
    id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    source: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    type: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    subject: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    time: Instant
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, Any]

    @field_validator("id", "source", "type", "subject")
    @classmethod
    def _printable(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("has characters that cannot be printed")
        return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            raise MalformedEvent("duplicate_key", f"the JSON object names {name!r} twice")
        seen[name] = value
    return seen


def _no_constants(name: str) -> Any:
    raise MalformedEvent("not_json", f"{name} is not JSON")


def strict_json(raw: bytes) -> Any:
    """JSON as RFC 8259 has it: UTF-8, no NaN, no duplicate keys, at most MAX_EVENT_BYTES. Raises MalformedEvent."""
    if len(raw) > MAX_EVENT_BYTES:
        raise MalformedEvent("oversized", f"{len(raw)} bytes; an event has at most {MAX_EVENT_BYTES}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedEvent("not_utf8", f"byte {error.start} is not UTF-8") from None
    try:
        return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
    except json.JSONDecodeError as error:
        raise MalformedEvent("not_json", f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise MalformedEvent("not_json", "nested too deeply") from None


def explain(error: ValidationError) -> str:
    """One line per wrong field: where, what."""
    return "; ".join(
        f"{'.'.join(str(step) for step in item['loc']) or 'event'}: {item['msg']}" for item in error.errors()[:10]
    )


def parse_event(raw: bytes) -> CloudEvent:
    """The envelope of `raw`. Raises MalformedEvent with a code and a sentence."""
    content = strict_json(raw)
    if not isinstance(content, dict):
        raise MalformedEvent("not_cloudevent", "the event is not a JSON object")
    try:
        return CloudEvent.model_validate(content)
    except ValidationError as error:
        raise MalformedEvent("not_cloudevent", explain(error)) from None


def check_routing(event: CloudEvent, topic: str, key: bytes | None) -> None:
    """The type must belong to the topic and the key must equal the subject. Raises MalformedEvent."""
    if event.type not in TOPIC_TYPES.get(topic, ()):
        raise MalformedEvent("wrong_topic", f"type {event.type} does not belong to topic {topic}")
    if key is None or key != event.subject.encode():
        raise MalformedEvent("key_mismatch", f"the Kafka key must equal the subject {event.subject!r}")
