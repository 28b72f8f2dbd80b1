"""Receipts: what is proved is told, what is not proved gives no receipt, and tampering is found offline."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey
from jwcrypto import jwk as outside_jwk
from jwcrypto import jws as outside_jws
from typer.testing import CliRunner

from console.cli.receipt import receipt as command
from infra.keys import Ed25519Signer, Pseudonyms
from infra.receipts import ReceiptFolder
from schemas.receipt import KeptAsset, ReceiptFacts, RevokedTarget
from tasks.errors import ChecksFailed
from tasks.evidence import canonical
from tasks.ports import StoreCapabilities
from tasks.receipts import Issued, issue_receipt, verify_receipt

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
ATOMIC = StoreCapabilities(True, False, False, 30)
RACY = StoreCapabilities(False, True, False, 30)
pseudonym = Pseudonyms(b"secret")


@pytest.fixture
def signer() -> Ed25519Signer:
    return Ed25519Signer(OKPKey.generate_key("Ed25519", private=True), "receipt-test")


def target(number: int = 1, **changes: Any) -> RevokedTarget:
    evidence = {
        "found": "expected", "tombstone_sha256": "ab" * 32, "tombstoned_at": AT.isoformat(),
        "verified_at": (AT + timedelta(milliseconds=4)).isoformat(), "versions_deleted": 1, "purged": [],
    }  # fmt: skip
    return RevokedTarget(
        object_id=f"ob-{number}", kind="asset", key=f"pub/{number}.jpg", sha256="cd" * 32, asset_id=f"as-{number}",
        phash="00ff00ff00ff00ff", evidence=evidence,
    ).model_copy(update=changes)  # fmt: skip


def facts(*targets: RevokedTarget, kept: tuple[KeptAsset, ...] = ()) -> ReceiptFacts:
    return ReceiptFacts(
        withdrawal_id="wd-1", talent_id="tal-ada", grant_ids=("gr-ada",), effect="take_down", recorded_at=AT,
        planned_at=AT + timedelta(seconds=1), at=AT + timedelta(seconds=2), targets=targets, kept=kept,
        chain_position=7, chain_hash="ef" * 32,
    )  # fmt: skip


def issue(signer: Ed25519Signer, *targets: RevokedTarget, can: StoreCapabilities = ATOMIC, listed: int = 100) -> Issued:
    return issue_receipt(facts(*targets), can, signer, pseudonym, listed=listed)


def test_a_receipt_tells_every_target_and_verifies(signer: Ed25519Signer) -> None:
    issued = issue(signer, target(1), target(2))
    verdict = verify_receipt(issued.token, signer.public_jwk)
    assert verdict.valid
    assert verdict.receipt == issued.receipt
    assert issued.receipt.targets is not None
    assert [told.outcome for told in issued.receipt.targets] == ["revoked", "revoked"]
    assert [kept.why for kept in issued.receipt.kept] == ["identity", "identity"]


def test_a_receipt_verifies_with_another_jose_implementation(signer: Ed25519Signer) -> None:
    token = outside_jws.JWS()
    token.deserialize(issue(signer, target()).token)
    token.verify(outside_jwk.JWK(**signer.public_jwk), alg="EdDSA")
    assert json.loads(token.payload)["withdrawal_id"] == "wd-1"


def test_a_receipt_names_nobody(signer: Ed25519Signer) -> None:
    said = canonical(issue(signer, target()).receipt.model_dump(mode="json")).decode()
    assert not [secret for secret in ("tal-ada", "gr-ada", "ob-1", "as-1", "pub/1.jpg") if secret in said]


def test_any_changed_byte_is_found(signer: Ed25519Signer) -> None:
    header, payload, signature = issue(signer, target()).token.split(".")
    content = json.loads(base64.urlsafe_b64decode(payload + "=="))
    content["targets_total"] = 0
    forged = base64.urlsafe_b64encode(canonical(content)).rstrip(b"=").decode()
    assert not verify_receipt(f"{header}.{forged}.{signature}", signer.public_jwk).valid
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert not verify_receipt(f"{header}.{payload}.{flipped}", signer.public_jwk).valid


def test_the_key_of_somebody_else_does_not_verify(signer: Ed25519Signer) -> None:
    other = Ed25519Signer(OKPKey.generate_key("Ed25519", private=True), signer.key_id)
    assert not verify_receipt(issue(signer, target()).token, other.public_jwk).valid


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30", "é"])
def test_what_is_no_receipt_is_told_so(signer: Ed25519Signer, token: str) -> None:
    assert not verify_receipt(token, signer.public_jwk).valid


def test_signed_nonsense_is_no_receipt(signer: Ed25519Signer) -> None:
    verdict = verify_receipt(signer.sign(b'{"hello":1}'), signer.public_jwk)
    assert not verdict.valid
    assert "not a receipt" in verdict.problem


@pytest.mark.parametrize(
    "change",
    [
        {"targets_total": 5},
        {"planned_at": "2020-01-01T00:00:00Z"},
        {"targets": None},
        {"targets": []},
    ],
)
def test_a_signed_receipt_that_contradicts_itself_does_not_hold(signer: Ed25519Signer, change: dict[str, Any]) -> None:
    content = issue(signer, target()).receipt.model_dump(mode="json") | change
    assert not verify_receipt(signer.sign(canonical(content)), signer.public_jwk).valid


@pytest.mark.parametrize("lacking", ["found", "tombstone_sha256", "tombstoned_at", "verified_at"])
def test_evidence_that_lacks_something_gives_no_receipt(signer: Ed25519Signer, lacking: str) -> None:
    thin = target()
    evidence = {name: value for name, value in thin.evidence.items() if name != lacking}
    with pytest.raises(ChecksFailed):
        issue(signer, thin.model_copy(update={"evidence": evidence}))


def test_a_racy_store_needs_a_second_look_that_held(signer: Ed25519Signer) -> None:
    with pytest.raises(ChecksFailed):
        issue(signer, target(), can=RACY)
    look = {
        "outcome": "held", "tombstone_sha256": "ab" * 32, "tombstoned_at": AT.isoformat(),
        "verified_at": (AT + timedelta(seconds=31)).isoformat(),
    }  # fmt: skip
    with pytest.raises(ChecksFailed):
        issue(signer, target(second_look=look | {"outcome": "returned"}), can=RACY)
    issued = issue(signer, target(second_look=look), can=RACY)
    assert verify_receipt(issued.token, signer.public_jwk).valid
    assert "second time" in issued.receipt.store.statement


def test_what_runs_off_is_told_with_its_date(signer: Ed25519Signer) -> None:
    kept = KeptAsset(asset_id="as-9", phash="ff", why="run_off", until=AT + timedelta(days=30))
    issued = issue_receipt(facts(kept=(kept,)), ATOMIC, signer, pseudonym)
    assert [(row.why, row.until) for row in issued.receipt.kept] == [("run_off", AT + timedelta(days=30))]


def test_many_targets_go_into_a_manifest_whose_hash_is_signed(signer: Ed25519Signer) -> None:
    issued = issue(signer, *(target(number) for number in range(20)), listed=10)
    assert issued.receipt.targets is None
    assert issued.manifest is not None
    assert verify_receipt(issued.token, signer.public_jwk, issued.manifest).valid
    assert not verify_receipt(issued.token, signer.public_jwk).valid
    assert not verify_receipt(issued.token, signer.public_jwk, issued.manifest.replace(b"expected", b"absent")).valid


def test_a_receipt_of_ten_thousand_targets_fits_its_signature(signer: Ed25519Signer) -> None:
    issued = issue(signer, *(target(number, asset_id=None) for number in range(10_000)), listed=10_000)
    assert issued.manifest is None
    assert verify_receipt(issued.token, signer.public_jwk).valid


# ---------------------------------------------------------------- the command
@dataclass
class Filed:
    receipt: Path
    key: Path


@pytest.fixture
async def filed(signer: Ed25519Signer, tmp_path: Path) -> Filed:
    await ReceiptFolder(tmp_path).keep(issue(signer, target()))
    key = tmp_path / "receipt.pub.jwk"
    key.write_text(json.dumps(signer.public_jwk))
    return Filed(tmp_path / "wd-1.jws", key)


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_the_command_verifies_a_file_with_nothing_but_the_key(filed: Filed) -> None:
    code, said = run("verify", filed.receipt, "--key", filed.key)
    assert (code, said.split(".")[0]) == (0, "Valid")
    code, said = run("show", filed.receipt, "--key", filed.key, "--json")
    assert (code, json.loads(said)["withdrawal_id"]) == (0, "wd-1")
    assert "taken down and verified" in run("show", filed.receipt, "--key", filed.key)[1]


def test_the_command_fails_for_a_tampered_file(filed: Filed) -> None:
    filed.receipt.write_text(filed.receipt.read_text().replace(".e", ".f", 1))
    code, said = run("verify", filed.receipt, "--key", filed.key, "--json")
    assert code != 0
    assert json.loads(said)["valid"] is False


def test_the_page_beside_it_reads_without_anything_else(filed: Filed) -> None:
    page = filed.receipt.with_suffix(".html").read_text()
    assert "wd-1.jws" in page
    assert "http" not in page
    assert "<script" not in page
