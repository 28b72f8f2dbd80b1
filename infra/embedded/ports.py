"""Ports on the loopback interface: picked free once per home, and kept."""

import json
import random
import socket
from collections.abc import Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
RANGE = range(20_000, 32_000)
"""Below the ports that Linux, macOS and the BSDs hand to outgoing connections."""


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def accepts(port: int, host: str = LOOPBACK) -> bool:
    """Does somebody listen there?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def pick(count: int, taken: Sequence[int] = ()) -> list[int]:
    """`count` different free ports. Picked at random, so that two homes started at once hardly ever meet."""
    found: list[int] = []
    for port in random.SystemRandom().sample(RANGE, len(RANGE)):
        if len(found) == count:
            break
        if port not in taken and is_free(port):
            found.append(port)
    return found


def keep(file: Path, names: Sequence[str]) -> dict[str, int]:
    """The home's ports by name from `file`; missing ones, and ones that a stranger took, are picked and written."""
    known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    ports = {name: known[name] for name in names if name in known and is_free(known[name])}
    missing = [name for name in names if name not in ports]
    ports |= dict(zip(missing, pick(len(missing), list(known.values())), strict=True))
    if missing:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(known | ports, indent=1) + "\n")
    return ports
