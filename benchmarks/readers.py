"""Readers of the gate in a process of their own: plain sockets, so that the client costs little beside the server.

Times are of the machine's monotonic clock, which all its processes share.
"""

import asyncio
import itertools
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

Seen = tuple[float, float, int]
"""(request begun, last byte received, status; 0 for an answer that was cut off)."""


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asset_id: str) -> Seen:
    """One request on a connection that stays open."""
    begun = time.monotonic()
    writer.write(f"GET /assets/{asset_id} HTTP/1.1\r\nHost: gate\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head[:-4].lower().split(b"\r\n")[1:])
    await reader.readexactly(int(fields[b"content-length"]))
    return begun, time.monotonic(), int(head[9:12])


async def read_on(port: int, assets: Sequence[str], begin: int, pace: float, stop: asyncio.Event) -> list[Seen]:
    """One reader: an asset every `pace` seconds, or as fast as it can for 0, until told to stop."""
    seen: list[Seen] = []
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    due = time.monotonic()
    for number in itertools.count(begin):
        if stop.is_set():
            break
        connection = connection or await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        begun = time.monotonic()
        try:
            seen.append(await ask(*connection, assets[number % len(assets)]))
        except (asyncio.IncompleteReadError, ConnectionError):
            connection[1].close()
            connection = None
            seen.append((begun, time.monotonic(), 0))
        if pace:
            due = max(due + pace, time.monotonic() - pace)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    if connection is not None:
        connection[1].close()
    return seen


async def _crowd(pipe: Connection, port: int, assets: Sequence[str], readers: int, pace: float) -> list[Seen]:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), stop.set)
    try:
        each = [read_on(port, assets, 7 * number, pace, stop) for number in range(readers)]
        return [seen for one in await asyncio.gather(*each) for seen in one]
    finally:
        asyncio.get_running_loop().remove_reader(pipe.fileno())


def _serve(pipe: Connection) -> None:
    while (order := pipe.recv()) is not None:
        seen = asyncio.run(_crowd(pipe, *order))
        pipe.recv()  # the word that stopped them
        pipe.send(seen)


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
