"""The topics of Likeness and how each keeps what it is given."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from infra.settings import KafkaSettings
from schemas.envelope import TOPIC_ASSETS, TOPIC_CONSENT, TOPIC_DEADLETTER, TOPIC_GARMENTS
from tasks.errors import ServiceUnavailable

MAX_RECORD_BYTES = 4 * 1024 * 1024
"""Far above an event's limit: an oversized one must arrive to become a dead letter, and a dead letter must fit."""
KEEP_FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
KEEP_A_MONTH = {"retention.ms": str(30 * 24 * 3600 * 1000), "cleanup.policy": "delete"}

TOPICS: dict[str, dict[str, str]] = {
    TOPIC_GARMENTS: KEEP_A_MONTH,
    TOPIC_CONSENT: KEEP_FOR_EVER,  # never compacted: the topic alone can rebuild the ledger
    TOPIC_ASSETS: KEEP_A_MONTH,
    TOPIC_DEADLETTER: KEEP_FOR_EVER,
}


@contextmanager
def administration(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    """An admin client. Raises ServiceUnavailable when no broker answers."""
    try:
        admin = KafkaAdminClient(**settings.client_options(), request_timeout_ms=15_000)
    except (KafkaError, OSError) as error:
        raise ServiceUnavailable(f"no Kafka broker answers at {settings.bootstrap}") from error
    try:
        yield admin
    except KafkaError as error:
        raise ServiceUnavailable(f"Kafka at {settings.bootstrap} refused: {error}") from error
    finally:
        admin.close()


def ensure_topics(settings: KafkaSettings) -> list[str]:
    """Create the topics that are missing; returns their names. Raises ServiceUnavailable."""
    with administration(settings) as admin:
        there = set(admin.list_topics())
        missing = [name for name in TOPICS if name not in there]
        new = [
            NewTopic(
                name,
                num_partitions=settings.partitions,
                replication_factor=settings.replication,
                topic_configs=TOPICS[name] | {"max.message.bytes": str(MAX_RECORD_BYTES)},
            )
            for name in missing
        ]
        if new:
            with suppress(TopicAlreadyExistsError):  # another process was first
                admin.create_topics(new)
    return missing


def remove_topics(settings: KafkaSettings, seconds: float = 10) -> None:
    """Delete all topics with all that is in them, and wait until they are gone. For tests and for starting anew."""
    with administration(settings) as admin:
        there = [name for name in TOPICS if name in set(admin.list_topics())]
        if there:
            admin.delete_topics(there)
        until = time.monotonic() + seconds
        while set(TOPICS) & set(admin.list_topics()) and time.monotonic() < until:
            time.sleep(0.05)
