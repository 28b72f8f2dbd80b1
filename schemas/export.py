"""What is said, for other languages: JSON Schema per event type and one AsyncAPI 3.0 document."""

from typing import Any, Literal

from pydantic import BaseModel

from schemas.consent import Granted, Narrowed, Withdrawn
from schemas.envelope import (
    GARMENT_TYPES,
    MAX_EVENT_BYTES,
    SIGNATURE_HEADER,
    TOPIC_ASSETS,
    TOPIC_CONSENT,
    TOPIC_DEADLETTER,
    TOPIC_GARMENTS,
    CloudEvent,
)
from schemas.garment import Garment
from schemas.published import DEAD_LETTER_HEADERS, PUBLISHED

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TAKEN: dict[str, type[BaseModel]] = {
    **dict.fromkeys(GARMENT_TYPES, Garment),
    "likeness.consent.granted": Granted,
    "likeness.consent.narrowed": Narrowed,
    "likeness.consent.withdrawn": Withdrawn,
}
"""Event types that Likeness takes in -> what their `data` holds."""
KEYS = {
    TOPIC_GARMENTS: "the SKU, equal to `subject`",
    TOPIC_CONSENT: "the talent id, equal to `subject`",
    TOPIC_ASSETS: "the asset, cell or withdrawal id, the SKU or the talent id, equal to `subject`",
    TOPIC_DEADLETTER: "the original key",
}


def event_schema(type_: str) -> dict[str, Any]:
    """JSON Schema of the whole event of a type: CloudEvents envelope and data. Raises KeyError for an unknown type."""
    taken = type_ in TAKEN
    data = (TAKEN if taken else PUBLISHED)[type_]
    mode: Literal["validation", "serialization"] = "validation" if taken else "serialization"
    envelope = CloudEvent.model_json_schema(mode=mode, ref_template="#/$defs/{model}")
    payload = data.model_json_schema(mode=mode, ref_template="#/$defs/{model}")
    definitions = {**envelope.pop("$defs", {}), **payload.pop("$defs", {})}
    envelope["properties"] |= {"type": {"const": type_}, "data": payload}
    return {
        "$schema": DIALECT,
        "title": type_,
        **{name: value for name, value in envelope.items() if name != "title"},
        "$defs": definitions,
    }


def schemas() -> dict[str, dict[str, Any]]:
    """Event type -> its JSON Schema, for every type that is taken in or sent."""
    return {type_: event_schema(type_) for type_ in (*TAKEN, *PUBLISHED)}


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0: the four topics, their messages, keys and headers."""
    topic_types = {
        TOPIC_GARMENTS: GARMENT_TYPES,
        TOPIC_CONSENT: tuple(type_ for type_ in TAKEN if type_ not in GARMENT_TYPES),
        TOPIC_ASSETS: tuple(PUBLISHED),
        TOPIC_DEADLETTER: ("dead-letter",),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Likeness events",
            "version": "1",
            "description": f"CloudEvents 1.0 in structured JSON, UTF-8, at most {MAX_EVENT_BYTES} bytes.",
        },
        "channels": {topic: _channel(topic, types) for topic, types in topic_types.items()},
        "operations": {
            _name(topic): {
                "action": "receive" if topic in (TOPIC_GARMENTS, TOPIC_CONSENT) else "send",
                "channel": {"$ref": f"#/channels/{topic}"},
            }
            for topic in topic_types
        },
        "components": {"messages": {type_: _message(type_) for types in topic_types.values() for type_ in types}},
    }


def _name(topic: str) -> str:
    return topic.replace(".", "_")


def _channel(topic: str, types: tuple[str, ...]) -> dict[str, Any]:
    messages = {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in types}
    return {"address": topic, "description": f"Kafka key: {KEYS[topic]}.", "messages": messages}


def _message(type_: str) -> dict[str, Any]:
    if type_ == "dead-letter":
        headers = {name: {"type": "string"} for name in DEAD_LETTER_HEADERS}
        return {
            "summary": "An event that was refused; the value is its original bytes.",
            "headers": {"type": "object", "properties": headers, "required": list(DEAD_LETTER_HEADERS)},
            "payload": {},
        }
    message: dict[str, Any] = {
        "contentType": "application/cloudevents+json",
        "payload": {"schemaFormat": f"application/schema+json;version={DIALECT}", "schema": event_schema(type_)},
    }
    if type_ in TAKEN:
        about = "Detached JWS (RFC 7515 appendix F, EdDSA) of the record's value by a key of the event's source."
        properties = {SIGNATURE_HEADER: {"type": "string", "description": about}}
        message["headers"] = {"type": "object", "properties": properties, "required": [SIGNATURE_HEADER]}
    return message
