"""A whole home: up, healed after every kill, two side by side, and down without a trace."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.embedded.home import Record, write_atomically
from infra.embedded.home import status as home_status

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(600)


def likeness(home: Path, *words: str, code: int = 0) -> str:
    """Run the command line as a user does, on this home."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LIKENESS_", "PREFECT_"))}
    done = subprocess.run(
        [sys.executable, "-m", "console.cli.main", *words],
        env=environment | {"LIKENESS_HOME": str(home)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def status(home: Path) -> dict[str, Any]:
    found = home_status(home)
    assert found is not None
    return found


def wait_for(reached: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="likeness-home-") as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "home"
        try:
            likeness(path, "up")
            yield path
        finally:
            likeness(path, "down")


def test_up_again_changes_nothing(home: Path) -> None:
    before = json.loads(likeness(home, "status", "--json"))
    assert set(before) == {"kafka", "console", "gate", "prefect", "ledger", "store", "processes"}
    assert all(before["processes"].values())
    assert json.loads(likeness(home, "up", "--json")) == before


@pytest.mark.parametrize(
    "name", ["intake", "consent", "relay", "sweeper", "gate", "console", "dresser", "prefect", "kafka", "postgres"]
)
def test_a_killed_process_comes_back(home: Path, name: str) -> None:
    before = status(home)["processes"][name]
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: status(home)["processes"][name] not in (None, before), f"{name} back")
    healed = status(home)["processes"][name]
    time.sleep(1)
    assert psutil.pid_exists(healed)


def test_events_still_come_in_after_the_kills(home: Path) -> None:
    from tests import said

    file = home / "event.json"
    file.write_text(json.dumps(said.granted("tal-late", id_="after the kills")))
    wait_for(lambda: _emitted(home, file), "an event that Kafka takes")
    wait_for(lambda: "tal-late" in likeness(home, "grants", "list", "--json"), "the grant in the ledger")


def _emitted(home: Path, file: Path) -> bool:
    try:
        likeness(home, "emit", str(file))
    except AssertionError:
        return False
    return True


def test_killing_the_supervisor_leaves_no_orphans_and_up_starts_anew(home: Path) -> None:
    record = Record.read(home)
    assert record is not None
    os.kill(record.supervisor.pid, signal.SIGKILL)
    wait_for(lambda: not any(child.alive for child in record.children.values()), "every child gone")
    likeness(home, "status", code=3)
    likeness(home, "up")
    assert "tal-late" in likeness(home, "grants", "list", "--json")


def test_a_stale_record_never_ends_a_stranger(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        child = {"pid": stranger.pid, "created": time.time() - 86_400, "stop_signal": 15}
        content = {"supervisor": child, "phase": "ready", "children": {"intake": child}}
        write_atomically(tmp_path / "run" / "supervisor.json", content)
        likeness(tmp_path, "down")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_down_ends_all_and_gives_the_ports_back(home: Path) -> None:
    record = Record.read(home)
    assert record is not None
    likeness(home, "down")
    assert not any(child.alive for child in record.children.values())
    assert json.loads(likeness(home, "status", "--json", code=3))["processes"]["kafka"] is None
    likeness(home, "grants", "list", code=3)
