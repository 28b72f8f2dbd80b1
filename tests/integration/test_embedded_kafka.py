"""The embedded Kafka: topics as the design has them, and records that outlive a killed broker."""

from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from infra.embedded.kafka import EmbeddedKafka
from infra.embedded.ports import pick
from infra.embedded.program import start, stop
from infra.kafka.topics import TOPICS, administration, ensure_topics
from infra.settings import KafkaSettings


def test_every_topic_has_three_partitions_and_is_made_once(topics: KafkaSettings) -> None:
    consumer = KafkaConsumer(bootstrap_servers=topics.bootstrap)
    assert {name: len(consumer.partitions_for_topic(name) or ()) for name in TOPICS} == dict.fromkeys(TOPICS, 3)
    consumer.close()
    assert ensure_topics(topics) == []


def test_the_consent_topic_is_kept_for_ever_and_never_compacted(topics: KafkaSettings) -> None:
    with administration(topics) as admin:
        shown = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "likeness.consent")])
    kept = shown["topic"]["likeness.consent"]
    assert (kept["retention.ms"]["value"], kept["retention.bytes"]["value"]) == ("-1", "-1")
    assert kept["cleanup.policy"]["value"] == "delete"


def test_records_outlive_a_killed_broker_and_other_ports(session_home: Path) -> None:
    home = session_home / "killed-kafka"
    broker = EmbeddedKafka(home, *pick(2))
    broker.prepare()
    process = start(broker.program)
    broker.wait_ready(process)
    ensure_topics(KafkaSettings(bootstrap=broker.bootstrap))
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    producer.send("likeness.consent", key=b"tal-ada", value=b"said").get(10)
    producer.close()
    process.kill()
    process.wait()

    moved = EmbeddedKafka(home, *pick(2))
    moved.prepare()
    again = start(moved.program)
    try:
        moved.wait_ready(again)
        consumer = KafkaConsumer(bootstrap_servers=moved.bootstrap, auto_offset_reset="earliest")
        consumer.assign([TopicPartition("likeness.consent", number) for number in range(3)])
        records = [record for batch in consumer.poll(10_000).values() for record in batch]
        assert [record.value for record in records] == [b"said"]
        consumer.close()
    finally:
        stop(moved.program, again)
