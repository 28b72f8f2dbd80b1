"""The command line: quick to start, nothing heavy loaded, exit codes that scripts can rest on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli.main import COMMANDS, exit_code
from infra.embedded import ports
from infra.embedded.units import units_of
from infra.settings import Settings
from tasks.errors import BadSignature, ChecksFailed, NotPermitted, ServiceUnavailable

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "diffusers", "rembg", "great_expectations", "prefect")


def run(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIKENESS_")}
    return subprocess.run(
        [sys.executable, "-m", "console.cli.main", *words],
        env=environment | {"LIKENESS_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_help_names_every_command_and_the_exit_codes(tmp_path: Path) -> None:
    shown = run("--help", home=tmp_path).stdout
    assert [name for name in COMMANDS if name not in shown] == []
    assert "Exit codes" in shown


@pytest.mark.parametrize("module", ["withdraw", "services", "emit", "lists", "dead_letters", "doctor", "schemas"])
def test_a_command_loads_nothing_heavy(module: str) -> None:
    code = f"import console.cli.{module}, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("process", ["intake", "consent", "sweeper", "relay"])
def test_a_consent_process_loads_nothing_heavy(process: str) -> None:
    code = f"import flows.processes.{process}, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_exit_codes_tell_what_went_wrong(tmp_path: Path) -> None:
    assert exit_code(ServiceUnavailable("away")) == 3
    assert exit_code(NotPermitted("no")) == 4
    assert exit_code(ChecksFailed("no")) == 5
    assert exit_code(BadSignature("no")) == 1
    assert run("nonsense", home=tmp_path).returncode == 2
    assert run("status", home=tmp_path).returncode == 3
    assert run("emit", "--dry-run", "/no/such/file", home=tmp_path).returncode == 2


def test_a_wrong_event_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text('{"id": "1"}\n')
    done = run("emit", str(file), home=tmp_path)
    assert done.returncode == 1
    assert "event 1" in done.stderr
    assert "subject" in done.stderr


def test_the_procfile_names_the_units_that_up_starts(tmp_path: Path) -> None:
    lines = (ROOT / "Procfile").read_text().splitlines()
    named = {name: command.split("-m ")[1] for name, command in (line.split(": ", 1) for line in lines)}
    assert named == {unit.name: unit.module for unit in units_of(Settings(home=tmp_path))}


def test_ports_are_picked_once_per_home_and_kept(tmp_path: Path) -> None:
    first = ports.keep(tmp_path / "a" / "ports.json", ("gate", "kafka"))
    assert ports.keep(tmp_path / "a" / "ports.json", ("gate", "kafka")) == first
    assert set(first.values()).isdisjoint(ports.keep(tmp_path / "b" / "ports.json", ("gate", "kafka")).values())


def test_a_port_that_somebody_took_is_picked_anew(tmp_path: Path) -> None:
    import socket

    first = ports.keep(tmp_path / "ports.json", ("gate", "kafka"))
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", first["gate"]))
        stranger.listen()
        second = ports.keep(tmp_path / "ports.json", ("gate", "kafka"))
    assert second["gate"] != first["gate"]
    assert second["kafka"] == first["kafka"]
