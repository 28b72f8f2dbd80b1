"""Waiting for something that other processes or tasks bring about."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(reached: Callable[[], Awaitable[bool]], what: str, seconds: float = 30) -> None:
    """Poll until `reached()`; fails the test with `what` after the seconds, which are a limit and never a measure."""
    end = time.monotonic() + seconds
    while not await reached():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.05)
