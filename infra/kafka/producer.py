"""A Kafka producer that has nothing half-sent: acks=all, idempotent, and every send is waited for."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError

from infra.kafka.topics import MAX_RECORD_BYTES
from infra.settings import KafkaSettings
from tasks.errors import InvalidEvent, ServiceUnavailable
from tasks.ports import OutboxRow

log = logging.getLogger(__name__)

SEND_SECONDS = 20.0
Headers = Sequence[tuple[str, bytes]]


class Producer:
    """Synchronous; call it in a thread."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def send(self, topic: str, key: str, value: bytes, headers: Headers = ()) -> tuple[int, int]:
        """Send one record; (partition, offset) once every replica has it.

        Raises InvalidEvent when it is too large for the topic, ServiceUnavailable otherwise.
        """
        try:
            future = self._client.send(topic, key=key.encode(), value=value, headers=list(headers))
            done = future.get(SEND_SECONDS)
        except MessageSizeTooLargeError as error:
            raise InvalidEvent(f"{len(value)} bytes are too many for {topic}: {error}", code="oversized") from None
        except (KafkaError, OSError) as error:
            raise ServiceUnavailable(f"Kafka did not take a record for {topic}: {error}") from error
        return done.partition, done.offset

    def relay(self, rows: Sequence[OutboxRow]) -> None:
        """Send rows in order, together, and wait for each. Raises ServiceUnavailable when any was not taken."""
        try:
            waiting = [(row, self._begin(row)) for row in rows]
            for row, future in waiting:
                if future is not None:
                    done = future.get(SEND_SECONDS)
                    log.debug("relayed %s to %s/%d@%d", row.outbox_id, row.topic, done.partition, done.offset)
        except (KafkaError, OSError) as error:
            raise ServiceUnavailable(f"Kafka did not take what the outbox holds: {error}") from error

    def _begin(self, row: OutboxRow) -> Any:
        """The send of a row; one that is too large for Kafka goes without its value, saying so, and alerts."""
        headers = list(row.headers)
        try:
            return self._client.send(row.topic, key=row.key.encode(), value=row.value, headers=headers)
        except MessageSizeTooLargeError:
            log.critical(
                "alert: outbox row %d (%d bytes) is too large for %s", row.outbox_id, len(row.value), row.topic
            )
            headers.append(("value-left-out", str(len(row.value)).encode()))
            return self._client.send(row.topic, key=row.key.encode(), value=b"", headers=headers)


@contextmanager
def producing(settings: KafkaSettings, name: str) -> Iterator[Producer]:
    """A connected producer. Raises ServiceUnavailable when no broker answers."""
    try:
        client = KafkaProducer(
            **settings.client_options(),
            client_id=f"likeness-{name}",
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_request_size=MAX_RECORD_BYTES + 64 * 1024,
            max_block_ms=10_000,
            delivery_timeout_ms=15_000,
            request_timeout_ms=10_000,
            reconnect_backoff_max_ms=1000,
            bootstrap_timeout_ms=10_000,
            allow_auto_create_topics=False,
        )
    except (KafkaError, OSError) as error:
        raise ServiceUnavailable(f"no Kafka broker answers at {settings.bootstrap}: {error}") from error
    try:
        yield Producer(client)
    finally:
        client.close(timeout=5)
