"""What other languages are told: schemas that accept what is said and refuse what is not."""

import json
from pathlib import Path

import jsonschema
import pytest

from console.cli.schemas import page
from schemas.export import TAKEN, asyncapi, event_schema, schemas
from schemas.published import PUBLISHED
from tests import said


@pytest.mark.parametrize("content", [said.garment(), said.granted(), said.withdrawn(), said.withdrawn(version=2)])
def test_events_as_producers_make_them_fit_the_exported_schema(content: dict[str, object]) -> None:
    jsonschema.validate(content, event_schema(str(content["type"])))


def test_a_misspelt_field_does_not_fit() -> None:
    content = said.granted(scpoe={})
    with pytest.raises(jsonschema.ValidationError, match="scpoe"):
        jsonschema.validate(content, event_schema("likeness.consent.granted"))


def test_every_type_has_a_schema_and_a_message() -> None:
    for schema in schemas().values():
        jsonschema.Draft202012Validator.check_schema(schema)
    messages = asyncapi()["components"]["messages"]
    assert set(messages) == {*TAKEN, *PUBLISHED, "dead-letter"}
    channels = asyncapi()["channels"]
    assert set(channels) == {"likeness.garments", "likeness.consent", "likeness.assets", "likeness.deadletter"}
    json.dumps(asyncapi())


def test_the_page_of_settings_is_the_committed_one() -> None:
    assert (Path(__file__).parents[2] / "docs" / "settings.md").read_text() == page()
