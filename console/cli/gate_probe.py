"""A reader outside our processes: asks the gate for one asset over and over and notes when it is first refused."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx


@dataclass
class GateProbe:
    """Polls `url` on one kept-alive connection from a thread of its own.

    After `stop()`: `first_gone` is time.monotonic() when the first 410 had been read, `served_after` the number of
    images received later than that, which must be 0.
    """

    url: str
    first_gone: float | None = None
    served: int = 0
    served_after: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    """How often each HTTP status was answered."""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> "GateProbe":
        self._thread = threading.Thread(target=self._run, name="gate-probe", daemon=True)
        self._thread.start()
        return self

    def _run(self) -> None:
        with httpx.Client(timeout=5) as client:
            while not self._stopping.is_set():
                status = client.get(self.url, headers={"Accept": "image/*"}).status_code
                self.answers[status] += 1
                if status == 410 and self.first_gone is None:
                    self.first_gone = time.monotonic()
                elif status == 200:
                    self.served += 1
                    self.served_after += self.first_gone is not None
                time.sleep(0.002)

    def wait_served(self, limit: float) -> bool:
        deadline = time.monotonic() + limit
        while not self.served and time.monotonic() < deadline:
            time.sleep(0.002)
        return self.served > 0

    def wait_gone(self, limit: float) -> bool:
        deadline = time.monotonic() + limit
        while self.first_gone is None and time.monotonic() < deadline:
            time.sleep(0.002)
        return self.first_gone is not None

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
