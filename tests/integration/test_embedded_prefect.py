"""The embedded Prefect server: on PostgreSQL, and with a UI that knows its own API."""

import json
import urllib.request

from infra.embedded.postgres import EmbeddedPostgres


def test_the_ui_finds_the_api_on_whatever_port(prefect_api: str) -> None:
    root = prefect_api.removesuffix("/api")
    with urllib.request.urlopen(f"{root}/ui-settings") as answer:
        assert json.loads(answer.read())["api_url"] == prefect_api


def test_runs_are_kept_in_postgres(prefect_api: str, postgres: EmbeddedPostgres) -> None:
    request = urllib.request.Request(
        f"{prefect_api}/flows/", json.dumps({"name": "dress"}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status in (200, 201)
    assert postgres.query("SELECT count(*) FROM flow WHERE name = 'dress'", "prefect") == "1"
