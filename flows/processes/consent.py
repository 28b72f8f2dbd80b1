"""The consent process: consent events from Kafka into the ledger, one by one, and the proof of being current."""

import asyncio
import sys

from flows.processes.lifecycle import run_process
from infra.bootstrap.core import Core
from infra.kafka.intake import ConsentIntake


async def work(core: Core, stop: asyncio.Event) -> None:
    await ConsentIntake(core.settings, core.ledger, core.source_keys).run(stop)


if __name__ == "__main__":
    sys.exit(run_process("consent", work))
