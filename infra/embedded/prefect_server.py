"""The Prefect server on the embedded PostgreSQL, quiet, with a UI that finds its own API."""

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from infra.embedded.ports import LOOPBACK
from infra.embedded.program import Program, wait_until


class EmbeddedPrefect:
    """One server process; `database_url` is a plain postgresql:// URL of a database of its own."""

    def __init__(self, home: Path, port: int, database_url: str) -> None:
        self.port = port
        self.database_url = database_url
        self.folder = home / "prefect"
        self.log = home / "logs" / "prefect.log"
        self.ui_url = f"http://{LOOPBACK}:{port}"
        self.api_url = f"{self.ui_url}/api"

    @property
    def program(self) -> Program:
        argv = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
        argv += ["--host", LOOPBACK, "--port", str(self.port), "--log-level", "warning", "--timeout-keep-alive", "5"]
        return Program("prefect", tuple(argv), self.log, self.folder, self.environment(), stop_seconds=10)

    def environment(self) -> dict[str, str]:
        return {
            "PREFECT_HOME": str(self.folder),
            "PREFECT_API_URL": self.api_url,
            "PREFECT_SERVER_API_HOST": LOOPBACK,
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_UI_API_URL": self.api_url,
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": self.database_url.replace(
                "postgresql:", "postgresql+asyncpg:", 1
            ),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            "DO_NOT_TRACK": "1",
            "PREFECT__SERVER_FINAL": "1",
        }

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def wait_ready(self, process: subprocess.Popen[bytes], seconds: float = 400) -> None:
        wait_until(self.answers, seconds, "The Prefect server", process, self.log)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.api_url}/health", timeout=3) as response:  # noqa: S310 - http, loopback
                return bool(response.status == 200)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False
