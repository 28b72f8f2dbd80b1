"""Settings: environment (`LIKENESS_…`, nested by `__`), one TOML file, and the addresses of the running home.

Read once, by bootstrap: `Settings.load()`. Sources, the first that names a value wins: arguments, environment, the TOML
file (`LIKENESS_CONFIG`, or `likeness.toml` in the home), what `likeness up` wrote into `run/status.json`, the defaults.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from schemas.envelope import explain
from tasks.errors import Misconfigured, ServiceUnavailable

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_GARMENTS = ROOT / "samples" / "pack" / "garments"


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class KafkaSettings(Section):
    bootstrap: str = Field("", description="Brokers, host:port[,host:port…]. Empty: the embedded broker of the home.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to the brokers."
    )
    sasl_mechanism: str = Field("", description="For SASL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.")
    sasl_username: str = Field("", description="SASL user.")
    sasl_password: str = Field("", description="SASL password.", repr=False)
    ssl_cafile: str = Field("", description="PEM file of the authority that signed the brokers' certificates.")
    garments_group: str = Field("likeness-intake", description="Consumer group of the garment intake.")
    consent_group: str = Field("likeness-consent", description="Consumer group of the consent process.")
    partitions: int = Field(3, ge=1, description="Partitions of each topic that set-up creates.")
    replication: int = Field(1, ge=1, description="Replicas of each topic that set-up creates.")

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments that every kafka-python client takes to reach and trust the brokers."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
        }
        if self.ssl_cafile:
            options["ssl_cafile"] = self.ssl_cafile
        if self.sasl_mechanism:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        return options


class LedgerSettings(Section):
    url: str = Field(
        "", description="postgresql://user:password@host:port/database. Empty: the home's own.", repr=False
    )
    pool: int = Field(5, ge=1, description="Connections per process.")


class StoreSettings(Section):
    url: str = Field("", description="file:///folder or s3://bucket/prefix. Empty: `store/` in the home.")
    endpoint_url: str = Field("", description="S3 endpoint, when it is not AWS.")
    region: str = Field("", description="S3 region.")
    atomic_create: bool = Field(True, description="Whether S3's If-None-Match lets exactly one of two writers win.")
    replicated: bool = Field(False, description="Whether the bucket is replicated elsewhere (receipts say so).")


class PrefectSettings(Section):
    api_url: str = Field("", description="http://host:port/api of the Prefect server. Empty: the home's own.")
    ui_url: str = Field("", description="Address of the Prefect UI. Empty: the API's without `/api`.")


class GateSettings(Section):
    host: str = Field("127.0.0.1", description="Address that the gate listens on.")
    port: int = Field(0, ge=0, le=65535, description="Port of the gate. 0: picked free once per home and kept.")
    public_url: str = Field("", description="What links to assets begin with. Empty: http://host:port.")


class ConsoleSettings(Section):
    host: str = Field("127.0.0.1", description="Address that the console listens on; loopback only.")
    port: int = Field(0, ge=0, le=65535, description="Port of the console. 0: picked free once per home and kept.")


class Limits(Section):
    consent_freshness_seconds: float = Field(60, gt=0, description="Older consent than this shuts the gate (503).")
    consent_alert_seconds: float = Field(10, gt=0, description="Older consent than this raises an alert.")
    inbox_lease_seconds: float = Field(
        60, gt=0, description="How long a garment stays with a dresser without heartbeat."
    )
    inbox_attempts: int = Field(3, ge=1, description="Times that a garment is tried before it is a dead letter.")
    task_attempts: int = Field(2, ge=1, description="Times that one Prefect task is tried.")
    publish_lease_seconds: float = Field(60, gt=0, description="An INTENT older than this is abandoned.")
    send_seconds: float = Field(10, gt=0, description="How long the gate may take to send one image.")
    intake_batch: int = Field(500, ge=1, description="Garment records taken in per transaction at most.")
    report_seconds: float = Field(3600, gt=0, description="How often the report of the checks is built.")
    silence_alert_seconds: float = Field(30, gt=0, description="Brokers silent for longer than this raise an alert.")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="LIKENESS_", env_nested_delimiter="__", env_ignore_empty=True, frozen=True, extra="forbid"
    )

    home: Path = Field(Path(".likeness"), description="Folder of all state that is not in a production service.")
    kafka: KafkaSettings = KafkaSettings()
    ledger: LedgerSettings = LedgerSettings()
    store: StoreSettings = StoreSettings()
    prefect: PrefectSettings = PrefectSettings()
    gate: GateSettings = GateSettings()
    console: ConsoleSettings = ConsoleSettings()
    limits: Limits = Limits()
    image_roots: tuple[Path, ...] = Field(
        (SAMPLE_GARMENTS,),
        description="Folders that file:// images of garments may lie under. By default the sample pack's.",
    )
    image_hosts: tuple[str, ...] = Field((), description="Hosts that https:// images of garments may come from.")
    image_buckets: tuple[str, ...] = Field((), description="S3 buckets that s3:// images of garments may come from.")
    generator: str = Field("draft", description="Generator of new looks, by name.")
    segmenter: str = Field("", description="Segmenter, a rembg model by name. Empty: the small one that comes along.")
    dressers: int = Field(1, ge=0, le=16, description="Dresser processes that `likeness up` starts.")
    unit: str = Field("", description="Set by `likeness up` for the processes that it starts: their name.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")

    @classmethod
    def load(cls, home: Path | None = None, *, running: bool = True) -> "Settings":
        """Read every source once. `running=False` leaves out the addresses of the running home.

        Raises Misconfigured, naming each wrong setting.
        """
        given: dict[str, Any] = {} if home is None else {"home": home}
        if not running:
            given["_running"] = False
        try:
            return cls(**given)
        except ValidationError as error:
            raise Misconfigured(f"settings: {explain(error)}") from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = dict(init_settings.init_kwargs) if isinstance(init_settings, InitSettingsSource) else {}
        running = given.pop("_running", True)
        home = resolve_home(given.get("home"))
        sources: list[PydanticBaseSettingsSource] = [
            InitSettingsSource(settings_cls, given | {"home": home}),
            env_settings,
        ]
        if (file := config_file(home)) is not None:
            sources.append(TomlConfigSettingsSource(settings_cls, file))
        if running:
            sources.append(InitSettingsSource(settings_cls, running_addresses(home)))
        return tuple(sources)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: dict[str, Any]) -> dict[str, Any]:
        home = values["home"]
        store, prefect = dict(values.get("store", {})), dict(values.get("prefect", {}))
        if not store.get("url"):
            store["url"] = f"file://{home}/store"
        if prefect.get("api_url") and not prefect.get("ui_url"):
            prefect["ui_url"] = prefect["api_url"].removesuffix("/").removesuffix("/api")
        gate = dict(values.get("gate", {}))
        if gate.get("port") not in (None, 0, "0") and not gate.get("public_url"):
            gate["public_url"] = f"http://{gate.get('host') or '127.0.0.1'}:{gate['port']}"
        return values | {"store": store, "prefect": prefect, "gate": gate}

    def folder(
        self, name: Literal["run", "postgres", "kafka", "prefect", "store", "keys", "logs", "receipts", "cache"]
    ) -> Path:
        """A folder of the home, made if it is not there."""
        path = self.home / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def require_addresses(self) -> None:
        """Raises ServiceUnavailable unless ledger and brokers are known, from settings or from the running home."""
        if not (self.ledger.url and self.kafka.bootstrap):
            raise ServiceUnavailable(
                f"Likeness does not run in {self.home}: start it with `likeness up`, or set LIKENESS_LEDGER__URL and "
                "LIKENESS_KAFKA__BOOTSTRAP",
                code="not_running",
            )

    @property
    def gate_url(self) -> str:
        return self.gate.public_url or f"http://{self.gate.host}:{self.gate.port}"

    @property
    def console_url(self) -> str:
        return f"http://{self.console.host}:{self.console.port}"

    @property
    def endpoints(self) -> "Endpoints":
        """Where the running home's services are. Raises ServiceUnavailable when it does not run."""
        return Endpoints.of(self.home)


@dataclass(frozen=True)
class Endpoints:
    kafka: str
    console: str
    gate: str
    prefect: str
    ledger: str
    store: str
    processes: dict[str, int | None]

    @classmethod
    def of(cls, home: Path) -> "Endpoints":
        content = read_status(home)
        if content is None:
            raise ServiceUnavailable(
                f"Likeness does not run in {home}: start it with `likeness up`", code="not_running"
            )
        return cls(**{name: content[name] for name in cls.__dataclass_fields__})


def resolve_home(given: Path | str | None = None) -> Path:
    return Path(given or os.environ.get("LIKENESS_HOME") or ".likeness").expanduser().resolve()


def config_file(home: Path) -> Path | None:
    """The one TOML file, if there is one. Raises Misconfigured when LIKENESS_CONFIG names a file that is not there."""
    if named := os.environ.get("LIKENESS_CONFIG"):
        path = Path(named).expanduser()
        if not path.is_file():
            raise Misconfigured(f"LIKENESS_CONFIG names {path}, which is not a file")
        return path
    path = home / "likeness.toml"
    return path if path.is_file() else None


def read_status(home: Path) -> dict[str, Any] | None:
    """What `likeness up` wrote, or None."""
    try:
        content: dict[str, Any] = json.loads((home / "run" / "status.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return content


def running_addresses(home: Path) -> dict[str, Any]:
    """The addresses in run/status.json as settings; empty when the home is not up."""
    status = read_status(home)
    if status is None:
        return {}
    return {
        "kafka": {"bootstrap": status["kafka"]},
        "ledger": {"url": status["ledger"]},
        "store": {"url": status["store"]},
        "prefect": {"api_url": status["prefect"]},
        "gate": _host_and_port(status["gate"]),
        "console": _host_and_port(status["console"]),
    }


def _host_and_port(url: str) -> dict[str, Any]:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return {"host": host, "port": int(port)}


def describe(model: type[BaseModel] = Settings, prefix: Sequence[str] = ()) -> list[tuple[str, str, str, str]]:
    """(environment variable, TOML name, default, meaning) of every setting, nested ones included."""
    rows: list[tuple[str, str, str, str]] = []
    for name, field in model.model_fields.items():
        path = (*prefix, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            rows += describe(field.annotation, path)
            continue
        rows.append(
            ("LIKENESS_" + "__".join(path).upper(), ".".join(path), _shown(field.default), field.description or "")
        )
    return rows


def _shown(default: object) -> str:
    """A default as JSON; folders of the installation by their path within it."""
    if isinstance(default, tuple):
        return json.dumps([str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path) for path in default])
    return json.dumps(str(default) if isinstance(default, Path) else default)
