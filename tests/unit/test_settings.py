"""Settings: which source wins, what a running home adds, and that a wrong one is named."""

import json
from pathlib import Path

import pytest

from infra.settings import Settings, describe
from tasks.errors import Misconfigured, ServiceUnavailable

STATUS = {
    "kafka": "127.0.0.1:9", "console": "http://127.0.0.1:81", "gate": "http://127.0.0.1:80",
    "prefect": "http://127.0.0.1:42/api", "ledger": "postgresql://a@b/c", "store": "file:///elsewhere",
    "processes": {"intake": 7, "gate": None},
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    monkeypatch.delenv("LIKENESS_CONFIG", raising=False)
    return tmp_path


def running(home: Path) -> None:
    (home / "run").mkdir()
    (home / "run" / "status.json").write_text(json.dumps(STATUS))


def test_environment_wins_over_the_file_and_the_file_over_the_running_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(home)
    (home / "likeness.toml").write_text('[kafka]\nbootstrap = "file:1"\n[ledger]\npool = 9\n')
    monkeypatch.setenv("LIKENESS_LEDGER__POOL", "11")
    settings = Settings.load()
    assert (settings.kafka.bootstrap, settings.ledger.pool, settings.ledger.url) == ("file:1", 11, "postgresql://a@b/c")
    assert (settings.gate_url, settings.prefect.ui_url) == ("http://127.0.0.1:80", "http://127.0.0.1:42")


def test_starting_anew_ignores_the_addresses_of_a_home_that_ran(home: Path) -> None:
    running(home)
    settings = Settings.load(running=False)
    assert (settings.kafka.bootstrap, settings.ledger.url) == ("", "")
    assert settings.store.url == f"file://{home}/store"
    with pytest.raises(ServiceUnavailable):
        settings.require_addresses()


def test_the_endpoints_of_a_running_home_can_be_asked_for(home: Path) -> None:
    with pytest.raises(ServiceUnavailable, match="likeness up"):
        _ = Settings.load().endpoints
    running(home)
    assert Settings.load().endpoints.processes == {"intake": 7, "gate": None}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIKENESS_GATE__PORT", "70000"),
        ("LIKENESS_LIMITS__INBOX_ATTEMPTS", "none"),
        ("LIKENESS_KAFKA__BOOTSTRP", "x:1"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=name.split("__")[1].lower()):
        Settings.load()


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_CONFIG", "/no/such/file.toml")
    with pytest.raises(Misconfigured, match="LIKENESS_CONFIG"):
        Settings.load()


def test_every_setting_is_described() -> None:
    rows = describe()
    assert len(rows) > 30
    assert all(meaning.endswith(".") for _, _, _, meaning in rows)
