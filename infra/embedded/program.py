"""One program that we start: its command line, its log, how it is asked to stop, and that it dies with us."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tasks.errors import ServiceUnavailable

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Program:
    """`user` is a system user's id to run as (only root can ask for it); `parent_gone` reaches it if we are killed."""

    name: str
    argv: tuple[str, ...]
    log: Path
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    parent_gone: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10
    user: int | None = None


def die_with_parent(wanted: signal.Signals) -> Callable[[], None] | None:
    """What the child does between fork and exec so that the kernel signals it when we die; Linux only."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(wanted))
        if os.getppid() != parent:  # we died in between
            os.kill(os.getpid(), wanted)

    return ask


def start(program: Program) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, with its output appended to its log."""
    program.log.parent.mkdir(parents=True, exist_ok=True)
    other: dict[str, Any] = {}
    if program.user is not None:
        other = {"user": program.user, "group": program.user, "extra_groups": []}
    with program.log.open("ab") as log:
        return subprocess.Popen(
            program.argv,
            cwd=program.cwd,
            env={**os.environ, **program.env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(program.parent_gone),  # safe: whoever starts programs has one thread
            **other,
        )


def stop(program: Program, process: subprocess.Popen[bytes]) -> int:
    """Ask it to stop; kill it when it has not within its seconds. Returns its exit status."""
    if process.poll() is None:
        process.send_signal(program.stop_signal)
    try:
        return process.wait(program.stop_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def wait_until(
    ready: Callable[[], bool], seconds: float, what: str, process: subprocess.Popen[bytes], log: Path
) -> None:
    """Poll until `ready()`. Raises ServiceUnavailable with the log's last lines when it ends or takes too long."""
    until = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise ServiceUnavailable(f"{what} ended with status {process.returncode} at its start:\n{tail(log)}")
        if time.monotonic() > until:
            raise ServiceUnavailable(f"{what} was not ready within {seconds:.0f} s:\n{tail(log)}")
        time.sleep(0.1)


def tail(log: Path, lines: int = 12) -> str:
    if not log.exists():
        return f"({log} is not there)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def same_process(pid: int, created: float) -> psutil.Process | None:
    """The process with this id if it is the one that was created then, never a stranger that has its id now."""
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - created) < 1.0 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except psutil.NoSuchProcess:
        pass
    return None


def end_leftover(pid: int, created: float, stop_signal: int, seconds: float = 10) -> bool:
    """Stop a process of an earlier supervisor that was killed; True when there was one."""
    process = same_process(pid, created)
    if process is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(stop_signal)
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(seconds)
    return True
