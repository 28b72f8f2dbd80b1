"""The relay process: what the ledger says to the world goes from its outbox to Kafka."""

import asyncio
import sys

from flows.processes.lifecycle import run_process
from infra.bootstrap.core import Core
from infra.kafka.relay import Relay


async def work(core: Core, stop: asyncio.Event) -> None:
    await Relay(core.settings, core.ledger, asyncio.Event()).run(stop)


if __name__ == "__main__":
    sys.exit(run_process("relay", work))
