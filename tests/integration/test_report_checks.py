"""The report of the checks: built from the ledger, shown by the console, readable without any other host."""

import dataclasses
from pathlib import Path

import httpx
import pytest

from console.auth import OperatorSessions
from console.web.app import ConsoleServices, create_app
from flows.report_checks import report_checks, report_folder
from infra.postgres.ledger import PostgresLedger
from infra.settings import Settings
from infra.store.local import LocalStore
from tasks.judge import THRESHOLDS
from tasks.publish import publish
from tests.fakes.publishing import granted, request

IMAGE = b"\xff\xd8" + bytes(64)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(tmp_path, running=False)


async def test_nothing_measured_makes_no_report(ledger: PostgresLedger, settings: Settings) -> None:
    assert await report_checks(ledger, settings) is None


async def test_the_report_names_each_live_image_and_the_console_shows_it(
    ledger: PostgresLedger, settings: Settings, tmp_path: Path
) -> None:
    await ledger.record_consent(granted(), source="urn:test", event_id="e-1", raw=b"{}")
    measures = {t.measure: float(t.most if t.most is not None else t.least or 0.0) for t in THRESHOLDS} | {"halo": 9.0}
    asked = dataclasses.replace(request(IMAGE, fence=await ledger.fence("tal-ada")), measures=measures)
    assert (await publish(asked, IMAGE, ledger, LocalStore(tmp_path / "store"))).state == "PUBLISHED"
    page = await report_checks(ledger, settings)
    assert page is not None
    written = "".join(file.read_text() for file in page.parent.rglob("*.html"))
    assert asked.asset_id in written
    assert "http" not in written.replace("http-equiv", "")
    services = ConsoleServices(ledger, OperatorSessions("token"), "http://127.0.0.1:1", "", {}, report_folder(settings))
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get("/reports/checks/")).status_code == 200
        assert (await client.get("/reports/checks/..%2f..%2fkeys%2foperator-token")).status_code == 404
