"""How a process of ours lives: settings once, logs to stderr, stop by signal, wait for services that are away."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable

from infra.bootstrap.core import Core, open_core
from infra.embedded.ready import say_ready
from infra.settings import Settings
from tasks.errors import LikenessError, TransientError

log = logging.getLogger("likeness")

Work = Callable[[Core, asyncio.Event], Awaitable[None]]
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0


def run_process(name: str, work: Work) -> int:
    """Run `work(core, stop)` until it returns or a signal sets `stop`. Returns the exit code; 1 when set up wrong."""
    try:
        settings = Settings.load()
        start_logging(settings)
        asyncio.run(_live(name, settings, work))
    except LikenessError as error:
        log.error("%s cannot run: %s", name, error.message)
        return 1
    return 0


def start_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what it tries and fails, our loops say once


async def _live(name: str, settings: Settings, work: Work) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    wait = FIRST_WAIT
    while not stop.is_set():
        try:
            async with open_core(settings) as core:
                log.info("%s runs", name)
                say_ready(settings)
                await work(core, stop)
                return
        except TransientError as error:
            log.warning("%s: %s; trying again in %.1f s", name, error.message, wait)
            try:
                await asyncio.wait_for(stop.wait(), wait)
            except TimeoutError:
                wait = min(wait * 2, LONGEST_WAIT)
