"""The evidence chain: what was sealed can be checked offline, what was changed is found."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from joserfc.jwk import OKPKey

from infra.keys import Ed25519Signer
from tasks.evidence import (
    GENESIS,
    EvidenceRow,
    chain,
    head_payload,
    tombstone,
    tombstone_of,
    verify_chain,
)

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def signer() -> Ed25519Signer:
    return Ed25519Signer(OKPKey.generate_key("Ed25519", private=True), "receipt-test")


@pytest.fixture
def rows() -> list[EvidenceRow]:
    return chain(GENESIS, 0, [{"object_id": f"ob-{n}", "outcome": "revoked", "at": AT} for n in range(5)])


def heads(signer: Ed25519Signer, rows: list[EvidenceRow], *positions: int) -> list[str]:
    return [signer.sign(head_payload(at, rows[at - 1].hash)) for at in positions]


def test_an_untouched_chain_with_its_heads_is_intact(signer: Ed25519Signer, rows: list[EvidenceRow]) -> None:
    verdict = verify_chain(rows, heads(signer, rows, 2, 5), signer.public_jwk)
    assert (verdict.intact, verdict.rows, verdict.heads) == (True, 5, 2)


def test_sealing_in_two_goes_gives_the_same_chain(rows: list[EvidenceRow]) -> None:
    first = chain(GENESIS, 0, [row.body for row in rows[:2]])
    assert [*first, *chain(first[-1].hash, 2, [row.body for row in rows[2:]])] == rows


def test_a_changed_row_is_found_where_it_lies(signer: Ed25519Signer, rows: list[EvidenceRow]) -> None:
    signed = heads(signer, rows, 5)
    rows[2] = replace(rows[2], body={**rows[2].body, "outcome": "kept"})
    verdict = verify_chain(rows, signed, signer.public_jwk)
    assert (verdict.intact, verdict.position) == (False, 3)


def test_a_changed_row_whose_followers_were_hashed_anew_betrays_itself_at_the_head(
    signer: Ed25519Signer, rows: list[EvidenceRow]
) -> None:
    forged = chain(GENESIS, 0, [{**row.body, "object_id": "ob-x"} for row in rows])
    assert not verify_chain(forged, heads(signer, rows, 5), signer.public_jwk).intact


def test_a_missing_row_and_a_cut_off_end_are_found(signer: Ed25519Signer, rows: list[EvidenceRow]) -> None:
    signed = heads(signer, rows, 5)
    assert not verify_chain(rows[:2] + rows[3:], signed, signer.public_jwk).intact
    assert not verify_chain(rows[:4], signed, signer.public_jwk).intact


def test_rows_that_no_head_signs_do_not_count_as_proved(signer: Ed25519Signer, rows: list[EvidenceRow]) -> None:
    verdict = verify_chain(rows, heads(signer, rows, 3), signer.public_jwk)
    assert (verdict.intact, verdict.position) == (False, 4)


def test_a_head_of_another_key_is_found(signer: Ed25519Signer, rows: list[EvidenceRow]) -> None:
    stranger = Ed25519Signer(OKPKey.generate_key("Ed25519", private=True), "receipt-test")
    assert not verify_chain(rows, heads(stranger, rows, 5), signer.public_jwk).intact


def test_a_tombstone_names_its_object_and_nothing_else() -> None:
    stone = tombstone("ob-1", AT)
    assert tombstone_of(stone) == "ob-1"
    assert stone == b'{"at":"2026-11-23T09:00:00+00:00","likeness":"tombstone","object_id":"ob-1"}'


def test_a_tombstone_that_carries_more_is_none() -> None:
    stuffed = tombstone("ob-1", AT)[:-1] + b',"image":"aGVsbG8="}'
    assert tombstone_of(stuffed) is None


@pytest.mark.parametrize("data", [None, b"", b"\xff\xd8\xff", b"{", b"[]", b'{"likeness":"image"}', b"{" + b" " * 5000])
def test_what_is_no_tombstone_is_not_taken_for_one(data: bytes | None) -> None:
    assert tombstone_of(data) is None
