"""`likeness emit` and `likeness sign`: CloudEvents from files, signed with this home's development keys, onto Kafka."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from console.cli.printing import print_json
from infra.kafka.producer import producing
from infra.kafka.reading import Record, check_event
from infra.keys import load_source_signer
from infra.settings import Settings
from schemas.envelope import SIGNATURE_HEADER, TOPIC_TYPES, MalformedEvent, strict_json
from tasks.errors import InvalidEvent

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@dataclass(frozen=True)
class ToSend:
    """An event from a file, as the bytes that go on the wire."""

    origin: str
    topic: str
    key: str
    type: str
    event_id: str
    raw: bytes


def emit(
    files: Annotated[list[Path], typer.Argument(help="CloudEvents as JSON, a JSON array or JSON lines; - for stdin.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every event, send none.")] = False,
    as_json: AsJson = False,
) -> None:
    """Sign events and send each to the topic of its type; every event of every file is checked before any is sent."""
    events = [event for file in files for event in events_in(file)]
    if not events:
        raise InvalidEvent("the files hold no event")
    settings = Settings.load()
    if dry_run:
        _report([{"event_id": event.event_id, "type": event.type, "topic": event.topic} for event in events], as_json)
        return
    settings.require_addresses()
    sent: list[dict[str, Any]] = []
    signatures = [signature_of(settings, event.raw) for event in events]
    with producing(settings.kafka, "emit") as producer:
        for event, signature in zip(events, signatures, strict=True):
            partition, offset = producer.send(
                event.topic, event.key, event.raw, [(SIGNATURE_HEADER, signature.encode())]
            )
            place = {"topic": event.topic, "partition": partition, "offset": offset}
            sent.append({"event_id": event.event_id, "type": event.type, **place})
    _report(sent, as_json)


def sign(file: Annotated[Path, typer.Argument(help="One event, exactly as it will be sent; - for stdin.")]) -> None:
    """Print the Kafka header that signs the bytes of FILE with the key of the event's source.

    Example: kcat -P -b HOST:PORT -t likeness.garments -k SKU -H "$(likeness sign event.json)" event.json
    """
    raw = _bytes_of(file)
    print(f"{SIGNATURE_HEADER}={signature_of(Settings.load(), raw)}")


def signature_of(settings: Settings, raw: bytes) -> str:
    """Detached JWS of the bytes by the home's private key of their source. Raises InvalidEvent, Misconfigured."""
    try:
        content = strict_json(raw)
    except MalformedEvent as error:
        raise InvalidEvent(f"not to be signed: {error.message}", code=error.code) from None
    source = content.get("source") if isinstance(content, dict) else None
    if not isinstance(source, str):
        raise InvalidEvent("not to be signed: the event names no source", code="not_cloudevent")
    return load_source_signer(settings.home / "keys", source).sign_detached(raw)


def events_in(file: Path) -> list[ToSend]:
    """The checked events of a file. Raises InvalidEvent that names the file, the event and what is wrong."""
    raw = _bytes_of(file)
    try:
        content = json.loads(raw)
        parts = [raw.strip()] if isinstance(content, dict) else [_as_bytes(each) for each in content]
    except (ValueError, TypeError):
        parts = [line for line in raw.splitlines() if line.strip()]  # JSON lines, or an error that check_event names
    return [_checked(f"{file}, event {number}", part) for number, part in enumerate(parts, 1)]


def _checked(origin: str, raw: bytes) -> ToSend:
    try:
        content = strict_json(raw)
        if not isinstance(content, dict):
            raise InvalidEvent("an event is a JSON object", code="not_cloudevent")
        type_, subject = str(content.get("type", "")), str(content.get("subject", ""))
        topic = next((topic for topic, types in TOPIC_TYPES.items() if type_ in types), "")
        event = check_event(Record(topic, 0, 0, subject.encode(), raw, ()))
    except (MalformedEvent, InvalidEvent) as error:
        raise InvalidEvent(f"{origin}: {error.message}", code=error.code) from None
    return ToSend(origin, topic, subject, type_, event.id, raw)


def _as_bytes(event: Any) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _bytes_of(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None


def _report(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    for row in rows:
        place = f"{row['topic']}/{row['partition']}@{row['offset']}" if "offset" in row else f"valid for {row['topic']}"
        print(f"{row['event_id']}  {row['type']}  {place}")
