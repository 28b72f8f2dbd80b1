"""The intake process: garment events from Kafka into the ledger's inbox, in batches."""

import asyncio
import sys

from flows.processes.lifecycle import run_process
from infra.bootstrap.core import Core
from infra.kafka.intake import GarmentIntake


async def work(core: Core, stop: asyncio.Event) -> None:
    await GarmentIntake(core.settings, core.ledger, core.source_keys).run(stop)


if __name__ == "__main__":
    sys.exit(run_process("intake", work))
