"""What intake makes of a record: an inbox row, a consent fact, or a dead letter that says what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.kafka.reading import Record, read_consent, read_garment
from schemas.consent import Granted, Withdrawn
from tasks.ports import DeadLetter, InboxRow
from tests import said


@pytest.fixture(scope="module")
def producer(tmp_path_factory: pytest.TempPathFactory) -> said.Producer:
    return said.Producer(tmp_path_factory.mktemp("home"))


def code_of(read: object) -> str:
    assert isinstance(read, DeadLetter)
    assert read.message
    return read.code


def test_a_signed_garment_becomes_an_inbox_row_with_its_position(producer: said.Producer) -> None:
    row = read_garment(producer.record(said.garment("SKU-7", version=3), offset=41), producer.registry)
    assert isinstance(row, InboxRow)
    assert (row.subject, row.garment.version, row.offset, len(row.digest)) == ("SKU-7", 3, 41, 64)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"[]", "not_cloudevent"),
        (b"\xff\xfe", "not_utf8"),
        (b'{"a": NaN}', "not_json"),
        (b'{"id": "1", "id": "2"}', "duplicate_key"),
        (b'{"id": "1"}', "not_cloudevent"),
        (b'"' + b"x" * (256 * 1024) + b'"', "oversized"),
        (b"[" * 200_000, "not_json"),
    ],
)
def test_bytes_that_are_no_event_become_dead_letters(producer: said.Producer, raw: bytes, code: str) -> None:
    read = read_garment(producer.record(raw, key=b"SKU-1"), producer.registry)
    assert code_of(read) == code
    assert isinstance(read, DeadLetter)
    assert read.raw == raw


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 0}, "invalid_data"),
        ({"colour": "misspelt field"}, "invalid_data"),
        ({"images": [{"uri": "file:///x.png", "view": "back"}]}, "invalid_data"),
        ({"category": "swimwear"}, "invalid_data"),
        ({"version": 10**12}, "invalid_data"),
        ({"title": "a\x00b"}, "invalid_data"),
        ({"title": "a\ud800b"}, "invalid_data"),
        ({"sku": "SKU-2"}, "key_mismatch"),
    ],
)
def test_a_garment_that_says_something_wrong_is_a_dead_letter(
    producer: said.Producer, changes: dict[str, Any], code: str
) -> None:
    content = said.garment("SKU-1")
    content["data"] |= changes
    assert code_of(read_garment(producer.record(content), producer.registry)) == code


def test_an_event_must_be_where_its_type_and_subject_belong(producer: said.Producer) -> None:
    content = said.garment("SKU-1")
    assert code_of(read_garment(producer.record(content, key=b"SKU-2"), producer.registry)) == "key_mismatch"
    assert code_of(read_garment(producer.record(content, key=None), producer.registry)) == "key_mismatch"
    assert (
        code_of(read_garment(producer.record(said.granted(), topic=said.GARMENTS), producer.registry)) == "wrong_topic"
    )
    unknown = said.event("likeness.garment.deleted", "SKU-1", {})
    assert code_of(read_garment(producer.record(unknown), producer.registry)) == "unknown_type"


def test_an_event_without_a_good_signature_is_a_dead_letter(producer: said.Producer, tmp_path: Path) -> None:
    content = said.garment("SKU-1")
    raw = json.dumps(content).encode()
    right, other = producer.header(raw), producer.header(raw + b" ")
    stranger = said.Producer(tmp_path).header(raw)

    def code(headers: list[tuple[str, bytes]]) -> str:
        return code_of(read_garment(producer.record(content, headers=headers), producer.registry))

    assert code([]) == "signature_missing"
    assert code([right, right]) == "signature_ambiguous"
    assert code([other]) == "bad_signature"
    assert code([stranger]) in ("unknown_key", "bad_signature")
    assert code([("likeness-signature", b"\xff")]) == "signature_malformed"
    assert code([("likeness-signature", b"nonsense")]).startswith(("signature", "bad"))
    unknown = said.event("likeness.garment.created", "SKU-1", content["data"], source="urn:somebody")
    assert code_of(read_garment(producer.record(unknown), producer.registry)) == "unknown_source"


def test_consent_records_become_facts(producer: said.Producer) -> None:
    grant = read_consent(producer.record(said.granted()), producer.registry)
    withdrawal = read_consent(producer.record(said.withdrawn(version=2)), producer.registry)
    assert isinstance(grant.fact, Granted)
    assert isinstance(withdrawal.fact, Withdrawn)
    assert (grant.hold_talent, withdrawal.hold_talent) == (None, None)


def broken(content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return content | {"data": content["data"] | changes}


def test_a_broken_withdrawal_names_the_talent_whose_work_must_wait(producer: said.Producer) -> None:
    def held(record: Record) -> str | None:
        read = read_consent(record, producer.registry)
        assert read.fact is None
        assert read.dead is not None
        return read.hold_talent

    assert held(producer.record(said.withdrawn(), headers=[])) == "tal-ada"
    assert held(producer.record(broken(said.withdrawn(), effect="vanish"))) == "tal-ada"
    assert held(producer.record(broken(said.withdrawn(), talent_id="tal-bea"))) == "tal-bea"
    assert held(producer.record(said.withdrawn(), key=b"tal-x")) == "tal-ada"
    assert (
        held(producer.record(b'{"type": "likeness.consent.withdrawn"', key=b"tal-ada", topic=said.CONSENT)) == "tal-ada"
    )
    assert held(producer.record(b"withdrawn", key=b"not an identifier", topic=said.CONSENT)) is None


def test_a_broken_grant_holds_nobody(producer: said.Producer) -> None:
    read = read_consent(producer.record(broken(said.granted(), effective_to="2020-01-01T00:00:00Z")), producer.registry)
    assert read.dead is not None
    assert read.hold_talent is None
    garbage = read_consent(producer.record(b"garbage", key=b"tal-ada", topic=said.CONSENT), producer.registry)
    assert garbage.hold_talent is None
