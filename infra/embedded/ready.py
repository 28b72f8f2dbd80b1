"""How a process tells the supervisor that started it that it is ready for work."""

from pathlib import Path

from infra.settings import Settings


def ready_file(home: Path, unit: str) -> Path:
    return home / "run" / f"{unit}.ready"


def say_ready(settings: Settings) -> None:
    """Does nothing in a process that no supervisor started."""
    if settings.unit:
        ready_file(settings.home, settings.unit).touch()
