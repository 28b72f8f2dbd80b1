"""Receipts on disk: home/receipts/<withdrawal>.jws, the readable page beside it, and the manifest if any."""

import asyncio
import os
from pathlib import Path

from tasks.errors import ServiceUnavailable
from tasks.receipt_page import receipt_page
from tasks.receipts import Issued


class ReceiptFolder:
    """Implements tasks.sweep.Archive."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def keep(self, issued: Issued) -> None:
        try:
            await asyncio.to_thread(self._keep, issued)
        except OSError as error:
            raise ServiceUnavailable(f"{self.folder}: {error.strerror}") from None

    def _keep(self, issued: Issued) -> None:
        name = issued.receipt.withdrawal_id
        if issued.manifest is not None:
            self._write(f"{name}.manifest.jsonl", issued.manifest)
        self._write(f"{name}.html", receipt_page(issued.receipt, file_name=f"{name}.jws").encode())
        self._write(f"{name}.jws", issued.token.encode() + b"\n")

    def _write(self, name: str, data: bytes) -> None:
        """Whole or not at all."""
        part = self.folder / f".{name}.part"
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / name)
