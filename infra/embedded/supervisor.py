"""Starts everything that a home needs, restarts what dies, and stops it all: `python -m infra.embedded.supervisor`."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from infra.embedded import ports
from infra.embedded.home import SERVICES, Child, Record, end_leftovers, forget, sole_supervisor, write_atomically
from infra.embedded.kafka import EmbeddedKafka
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.prefect_server import EmbeddedPrefect
from infra.embedded.program import Program, start, stop, tail, wait_until
from infra.embedded.ready import ready_file
from infra.embedded.units import Unit, units_of
from infra.settings import Settings
from tasks.errors import LikenessError, ServiceUnavailable

log = logging.getLogger("likeness.supervisor")

FIRST_DELAY, LONGEST_DELAY, STABLE_SECONDS = 0.2, 10.0, 30.0
UNIT_SECONDS = 300.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Kept:
    """A program that is kept running: when it last started, and how long to wait before it is started again."""

    program: Program
    process: subprocess.Popen[bytes]
    started: float
    delay: float = FIRST_DELAY
    again_at: float | None = None


class Supervisor:
    """One per home. Services that the settings name are used where they are; the others are started here."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = settings.home
        self.kept: dict[str, Kept] = {}
        self.record = Record(Child.of(os.getpid(), signal.SIGTERM))
        self.stopping = False
        self.ports = ports.keep(
            self.home / "run" / "ports.json", ("postgres", "kafka", "kafka_controller", "prefect", "gate", "console")
        )

    # ------------------------------------------------------------ life
    def run(self, tell: Callable[[Settings], None] = lambda _: None) -> int:
        """Start all, `tell` the complete settings once healthy, then watch until told to stop. Returns an exit code."""
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, self._asked_to_stop)
        try:
            self._start_all()
            self._phase("ready")
            log.info("ready")
            tell(self.settings)
            self._watch()
            return 0
        except _Stopped:
            return 0
        except LikenessError as error:
            log.error("%s", error.message)
            return 1
        finally:
            self.stopping = True
            self._phase("stopping")
            self._stop_all()
            forget(self.home)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        if not self.stopping:
            self.stopping = True
            raise _Stopped

    # ------------------------------------------------------------ start
    def _start_all(self) -> None:
        if left := end_leftovers(self.home):
            log.warning("stopped what a killed supervisor had left: %s", ", ".join(left))
        self._ledger()
        prefect = self._prefect()
        self._kafka()
        self._publish_addresses()
        self._set_up()
        for unit in self._units("ledger"):
            self._start_unit(unit)
        if prefect is not None:
            prefect.wait_ready(self.kept["prefect"].process)
        for unit in self._units("prefect"):
            self._start_unit(unit)
        for unit in units_of(self.settings):
            self._wait_for_unit(unit)

    def _ledger(self) -> None:
        if self.settings.ledger.url:
            return
        server = EmbeddedPostgres(self.home, self.ports["postgres"])
        server.prepare()
        self._keep(server.program)
        server.wait_ready(self.kept["postgres"].process)
        server.ensure_databases()
        self._learn("ledger", url=server.url("likeness"))
        self._prefect_database = server.url("prefect")

    def _prefect(self) -> EmbeddedPrefect | None:
        if self.settings.prefect.api_url:
            return None
        if "postgres" not in self.kept:
            raise ServiceUnavailable(
                "with LIKENESS_LEDGER__URL a Prefect server must be named too: set LIKENESS_PREFECT__API_URL"
            )
        server = EmbeddedPrefect(self.home, self.ports["prefect"], self._prefect_database)
        server.prepare()
        self._keep(server.program)
        self._learn("prefect", api_url=server.api_url, ui_url=server.ui_url)
        return server

    def _kafka(self) -> None:
        if not self.settings.kafka.bootstrap:
            broker = EmbeddedKafka(self.home, self.ports["kafka"], self.ports["kafka_controller"])
            broker.prepare()
            self._keep(broker.program)
            broker.wait_ready(self.kept["kafka"].process)
            self._learn("kafka", bootstrap=broker.bootstrap)

    def _publish_addresses(self) -> None:
        for name in ("gate", "console"):
            if not getattr(self.settings, name).port:
                self._learn(name, port=self.ports[name])
        self._write_status()

    def _set_up(self) -> None:
        """Topics, the ledger's tables, development keys and certificates: each only if it is missing."""
        from infra.kafka.topics import ensure_topics
        from infra.keys import make_development_keys
        from infra.marking.certificates import make_development_chain
        from infra.postgres.migrate import migrate

        ensure_topics(self.settings.kafka)
        migrate(self.settings.ledger.url)
        make_development_chain(make_development_keys(self.home))

    def _units(self, after: str) -> list[Unit]:
        return [unit for unit in units_of(self.settings) if unit.after == after and unit.exists]

    def _start_unit(self, unit: Unit) -> None:
        argv = (sys.executable, "-m", unit.module)
        log_file = self.home / "logs" / f"{unit.name}.log"
        ready_file(self.home, unit.name).unlink(missing_ok=True)
        environment = self._environment() | {"LIKENESS_UNIT": unit.name}
        self._keep(Program(unit.name, argv, log_file, Path.cwd(), environment, stop_seconds=10))

    def _wait_for_unit(self, unit: Unit) -> None:
        kept = self.kept.get(unit.name)
        if kept is None:
            log.warning("%s is not installed: no module %s", unit.name, unit.module)
            return
        ready: Callable[[], bool] = ready_file(self.home, unit.name).exists
        if unit.serves is not None:
            place = getattr(self.settings, unit.serves)
            ready = partial(ports.accepts, place.port, place.host)
        wait_until(ready, UNIT_SECONDS, unit.name, kept.process, kept.program.log)

    def _environment(self) -> dict[str, str]:
        """What the processes are told: the addresses, as settings."""
        settings = self.settings
        paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        return {
            "LIKENESS_HOME": str(self.home),
            "LIKENESS_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
            "LIKENESS_LEDGER__URL": settings.ledger.url,
            "LIKENESS_PREFECT__API_URL": settings.prefect.api_url,
            "LIKENESS_PREFECT__UI_URL": settings.prefect.ui_url,
            "LIKENESS_GATE__PUBLIC_URL": settings.gate_url,
            "LIKENESS_GATE__PORT": str(settings.gate.port),
            "LIKENESS_CONSOLE__PORT": str(settings.console.port),
            "PREFECT_API_URL": settings.prefect.api_url,
            "PREFECT_HOME": str(self.home / "prefect"),
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
            # work runs beside itself in processes and threads of ours; numpy's own threads only spin against them
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
            "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
        }

    # ------------------------------------------------------------ keep
    def _keep(self, program: Program) -> None:
        process = start(program)
        before = self.kept.get(program.name)
        delay = FIRST_DELAY if before is None else before.delay
        self.kept[program.name] = Kept(program, process, time.monotonic(), delay)
        self.record.children[program.name] = Child.of(process.pid, program.stop_signal)
        self.record.write(self.home)
        log.info("started %s as %d", program.name, process.pid)

    def _watch(self) -> None:
        while True:
            for name in list(self.kept):
                self._heal(self.kept[name])
            time.sleep(0.1)

    def _heal(self, kept: Kept) -> None:
        """Start it again if it ended: soon at first, later the more often it ends."""
        now = time.monotonic()
        if kept.process.poll() is None:
            if kept.delay > FIRST_DELAY and now - kept.started > STABLE_SECONDS:
                kept.delay = FIRST_DELAY
        elif kept.again_at is None:
            kept.again_at = now + kept.delay
            log.error(
                "%s ended with status %s; again in %.1f s. Its last words:\n%s",
                kept.program.name,
                kept.process.returncode,
                kept.delay,
                tail(kept.program.log, 5),
            )
        elif now >= kept.again_at:
            kept.delay = min(kept.delay * 2, LONGEST_DELAY)
            self._keep(kept.program)
            self._write_status()

    # ------------------------------------------------------------ stop
    def _stop_all(self) -> None:
        """Our processes first, all at once; then Prefect, Kafka, and last the database that all of them write to."""
        ours = [kept for name, kept in self.kept.items() if name not in SERVICES]
        for kept in ours:
            if kept.process.poll() is None:
                kept.process.send_signal(kept.program.stop_signal)
        for kept in [*ours, *(self.kept[name] for name in reversed(SERVICES) if name in self.kept)]:
            stop(kept.program, kept.process)
            log.info("stopped %s", kept.program.name)

    # ------------------------------------------------------------ tell
    def _learn(self, section: str, **values: object) -> None:
        changed = getattr(self.settings, section).model_copy(update=values)
        self.settings = self.settings.model_copy(update={section: changed})

    def _phase(self, phase: str) -> None:
        self.record.phase = phase
        self.record.write(self.home)
        if phase == "ready":
            self._write_status()

    def _write_status(self) -> None:
        names = [*SERVICES, *(unit.name for unit in units_of(self.settings))]
        pids = {name: self.kept[name].process.pid if name in self.kept else None for name in names}
        settings = self.settings
        content = {
            "kafka": settings.kafka.bootstrap,
            "console": settings.console_url,
            "gate": settings.gate_url,
            "prefect": settings.prefect.api_url,
            "ledger": settings.ledger.url,
            "store": settings.store.url,
            "processes": pids,
        }
        write_atomically(self.home / "run" / "status.json", content)


class _Stopped(BaseException):
    """Raised by the signal handler, wherever we are; like KeyboardInterrupt."""


def supervise(settings: Settings, tell: Callable[[Settings], None] = lambda _: None) -> int:
    """Run the home until a signal. Raises ServiceUnavailable when it already runs."""
    with sole_supervisor(settings.home):
        return Supervisor(settings).run(tell)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("kafka").setLevel(logging.ERROR)
    try:
        return supervise(Settings.load(running=False))
    except LikenessError as error:
        log.error("%s", error.message)
        return 1


if __name__ == "__main__":
    sys.exit(main())
