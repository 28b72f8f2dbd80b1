"""What is written down about a running home: the supervisor's lock, its children, and the addresses for everyone."""

import contextlib
import fcntl
import json
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from infra.embedded.program import end_leftover, same_process
from infra.settings import read_status
from tasks.errors import ServiceUnavailable


@dataclass(frozen=True)
class Child:
    """A process that a supervisor started; `created` tells it from a stranger who got its id later."""

    pid: int
    created: float
    stop_signal: int

    @classmethod
    def of(cls, pid: int, stop_signal: signal.Signals) -> "Child":
        return cls(pid, psutil.Process(pid).create_time(), int(stop_signal))

    @property
    def alive(self) -> bool:
        return same_process(self.pid, self.created) is not None


@dataclass
class Record:
    """run/supervisor.json: who supervises the home and whom it started. `phase` is starting, ready or stopping."""

    supervisor: Child
    phase: str = "starting"
    children: dict[str, Child] = field(default_factory=dict)

    def write(self, home: Path) -> None:
        write_atomically(home / "run" / "supervisor.json", asdict(self))

    @classmethod
    def read(cls, home: Path) -> "Record | None":
        try:
            content = json.loads((home / "run" / "supervisor.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        children = {name: Child(**child) for name, child in content["children"].items()}
        return cls(Child(**content["supervisor"]), content["phase"], children)


def write_atomically(path: Path, content: dict[str, Any]) -> None:
    """Readable by its owner alone: the addresses hold the ledger's password."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(path)


@contextlib.contextmanager
def sole_supervisor(home: Path) -> Iterator[None]:
    """Hold the home's lock; it ends with the process, however that ends. Raises ServiceUnavailable when it is held."""
    path = home / "run" / "supervisor.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceUnavailable(f"Likeness already runs in {home}", code="already_running") from None
        yield


def running(home: Path) -> Record | None:
    """The record of a supervisor that is alive, or None."""
    record = Record.read(home)
    return record if record is not None and record.supervisor.alive else None


def end_leftovers(home: Path) -> list[str]:
    """Stop what an earlier supervisor left when it was killed (services last); returns their names."""
    record = Record.read(home)
    if record is None or record.supervisor.alive:
        return []
    names = sorted(
        record.children, key=lambda name: ("prefect", "kafka", "postgres").index(name) if name in SERVICES else -1
    )
    return [
        name
        for name in names
        if end_leftover(record.children[name].pid, record.children[name].created, record.children[name].stop_signal)
    ]


SERVICES = ("postgres", "kafka", "prefect")


def status(home: Path) -> dict[str, Any] | None:
    """Addresses, and each process's id while it lives; None where `likeness up` never ran."""
    content = read_status(home)
    if content is None:
        return None
    record = Record.read(home)
    children = record.children if record is not None else {}
    names = list(content["processes"])
    return content | {
        "processes": {name: children[name].pid if name in children and children[name].alive else None for name in names}
    }


def forget(home: Path) -> None:
    """Take the addresses back: nothing runs here any more."""
    for name in ("status.json", "supervisor.json"):
        (home / "run" / name).unlink(missing_ok=True)
