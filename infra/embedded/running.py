"""Start a home's supervisor in the background, wait until it is healthy, and stop it again, from any process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.embedded.home import Record, end_leftovers, forget, running, status
from infra.embedded.program import tail
from infra.settings import Settings
from tasks.errors import ServiceUnavailable

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS, STOP_SECONDS = 900.0, 120.0  # for a machine that is overloaded; usual are 20 and 3


def up(settings: Settings, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Start the home unless it runs; returns its status once healthy. `tell` hears each name as it starts.

    Raises ServiceUnavailable with the supervisor's last words when it does not come up.
    """
    home = settings.home
    log = settings.folder("logs") / "supervisor.log"
    process = None if running(home) is not None else _start(home, log)
    told: set[str] = set()
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        record = running(home)
        for name in (record.children if record else {}).keys() - told:
            told.add(name)
            tell(name)
        if record is not None and record.phase == "ready":
            return status(home) or {}
        if (process is not None and process.poll() is not None) or (process is None and record is None):
            raise ServiceUnavailable(f"Likeness did not start; {log} ends with:\n{tail(log)}", code="not_started")
        time.sleep(0.1)
    raise ServiceUnavailable(f"Likeness was not healthy within {START_SECONDS:.0f} s; see {log}", code="not_started")


def _start(home: Path, log: Path) -> subprocess.Popen[bytes]:
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = os.environ | {"LIKENESS_HOME": str(home), "PYTHONPATH": os.pathsep.join(paths)}
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "infra.embedded.supervisor"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def down(home: Path) -> bool:
    """Stop what runs in the home, also what a killed supervisor left; False when nothing did."""
    record = running(home)
    if record is None:
        left = end_leftovers(home)
        forget(home)
        return bool(left)
    os.kill(record.supervisor.pid, signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while record.supervisor.alive:
        if time.monotonic() > until:
            os.kill(record.supervisor.pid, signal.SIGKILL)
            break
        time.sleep(0.05)
    _end_rest(home, record)
    return True


def _end_rest(home: Path, record: Record) -> None:
    """After a supervisor that had to be killed."""
    if Record.read(home) is not None and not record.supervisor.alive:
        end_leftovers(home)
        forget(home)
