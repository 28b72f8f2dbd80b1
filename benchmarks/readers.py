"""Readers of the gate in a process of their own: blocking sockets, so that the client costs little beside the server.

Times are of the machine's monotonic clock, which all its processes share.
"""

import itertools
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

Seen = tuple[float, float, int]
"""(request begun, last byte received, status; 0 for an answer that was cut off)."""


class Reader:
    """One connection that stays open, and opens again after an answer that was cut off."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._buffer = bytearray(2**20)

    def ask(self, asset_id: str) -> Seen:
        begun = time.monotonic()
        try:
            status = self._exchange(f"GET /assets/{asset_id} HTTP/1.1\r\nHost: gate\r\n\r\n".encode())
        except (ConnectionError, EOFError):
            self.close()
            status = 0
        return begun, time.monotonic(), status

    def _exchange(self, request: bytes) -> int:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        self._socket.sendall(request)
        view, got, head, whole = memoryview(self._buffer), 0, 0, 1
        while got < whole:
            if not (more := self._socket.recv_into(view[got:])):
                raise EOFError
            got += more
            if not head:
                end = self._buffer.find(b"\r\n\r\n", 0, got) + 4
                if end > 3:
                    head, whole = end, end + _length(bytes(self._buffer[:end]))
                else:
                    whole = got + 1
        return int(self._buffer[9:12])

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _length(head: bytes) -> int:
    fields = dict(line.split(b": ", 1) for line in head[:-4].lower().split(b"\r\n")[1:])
    return int(fields[b"content-length"])


def _read_on(port: int, assets: Sequence[str], begin: int, pace: float, stop: threading.Event) -> list[Seen]:
    """One reader: an asset every `pace` seconds, or as fast as it can for 0, until told to stop."""
    reader, seen = Reader(port), []
    due = time.monotonic() + pace * (begin % 32) / 32
    for number in itertools.count(begin):
        if stop.wait(max(0.0, due - time.monotonic())) if pace else stop.is_set():
            break
        seen.append(reader.ask(assets[number % len(assets)]))
        due = max(due + pace, time.monotonic() - pace)
    reader.close()
    return seen


def _serve(pipe: Connection) -> None:
    while (order := pipe.recv()) is not None:
        port, assets, readers, pace = order
        stop = threading.Event()
        with ThreadPoolExecutor(readers) as pool:
            each = [pool.submit(_read_on, port, assets, 7 * number, pace, stop) for number in range(readers)]
            pipe.recv()  # the word that stops them
            stop.set()
            pipe.send([seen for one in each for seen in one.result()])


class Readers:
    """`begin(...)`, then `end()` gives all that they saw."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe

    def begin(self, port: int, assets: Sequence[str], readers: int, pace: float) -> None:
        self._pipe.send((port, list(assets), readers, pace))

    def end(self) -> list[Seen]:
        self._pipe.send("stop")
        seen: list[Seen] = self._pipe.recv()
        return seen


@contextmanager
def readers() -> Iterator[Readers]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Readers(ours)
    finally:
        ours.send(None)
        process.join(10)
