"""The processes of Likeness that a home runs, by name and module, and what each waits for."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from infra.settings import Settings


@dataclass(frozen=True)
class Unit:
    """`after`: the last service that must answer before it starts. `serves`: it is ready when it listens on this
    setting's port; the others say so themselves."""

    name: str
    module: str
    after: Literal["ledger", "prefect"] = "ledger"
    serves: Literal["gate", "console"] | None = None

    @property
    def exists(self) -> bool:
        try:
            return find_spec(self.module) is not None
        except ModuleNotFoundError:
            return False


INTAKE = Unit("intake", "flows.processes.intake")
CONSENT = Unit("consent", "flows.processes.consent")
SWEEPER = Unit("sweeper", "flows.processes.sweeper")
RELAY = Unit("relay", "flows.processes.relay")
GATE = Unit("gate", "console.gate", serves="gate")
CONSOLE = Unit("console", "console.web", serves="console")
DRESSER = Unit("dresser", "flows.processes.dresser", after="prefect")
UNITS = (CONSENT, INTAKE, RELAY, SWEEPER, GATE, CONSOLE)


def units_of(settings: Settings) -> list[Unit]:
    """Every unit, with as many dressers as the settings say (dresser, dresser-2, …)."""
    names = [DRESSER.name if number == 1 else f"dresser-{number}" for number in range(1, settings.dressers + 1)]
    return [*UNITS, *(Unit(name, DRESSER.module, DRESSER.after) for name in names)]
