"""The environment that Prefect reads when it is imported: set by the dresser from settings, before that import."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def environment(api_url: str, home: Path) -> Mapping[str, str]:
    """Variables for a process that talks to the server at `api_url`. Results are never kept: bytes live only where an
    Object row says so. Nothing is sent to anyone but that server."""
    return {
        "PREFECT_API_URL": api_url,
        "PREFECT_HOME": str(home),
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_TASKS_DEFAULT_PERSIST_RESULT": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_CLIENT_MAX_RETRIES": "2",
        "PREFECT_API_REQUEST_TIMEOUT": "20",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    }


def prepare(api_url: str, home: Path) -> None:
    """Put it into this process. Raises RuntimeError when Prefect was imported already and would not see it."""
    if "prefect" in sys.modules and os.environ.get("PREFECT_API_URL") != api_url:
        raise RuntimeError("Prefect was imported before its address was known")
    os.environ.update(environment(api_url, home))
