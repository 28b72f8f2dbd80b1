"""Keys and the registry of sources: who may say what, and how key files are guarded."""

import base64
import json
from pathlib import Path

import pytest
from jwcrypto import jwk as outside_jwk
from jwcrypto import jws as outside_jws

from infra.keys import (
    DEMO_SOURCE,
    HOUSE_SOURCE,
    RECEIPT_KEY,
    Ed25519Signer,
    Registry,
    Source,
    SourceRegistry,
    load_pseudonyms,
    load_signer,
    load_source_signer,
    make_development_keys,
)
from tasks.errors import BadSignature, Misconfigured

GARMENT = b'{"data":{"brand":"example"}}'


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return make_development_keys(tmp_path)


@pytest.fixture
def demo(keys: Path) -> Ed25519Signer:
    return load_source_signer(keys, DEMO_SOURCE)


@pytest.fixture
def registry(keys: Path) -> SourceRegistry:
    return SourceRegistry.load(keys / "sources.json")


def verify(registry: SourceRegistry, payload: bytes, signature: str, **said: str) -> str:
    asked = {"source": DEMO_SOURCE, "event_type": "likeness.garment.created", "subject": "SKU-1"} | said
    return registry.verify(payload, signature, **asked).key_id


def test_a_signed_event_of_a_known_source_is_verified(registry: SourceRegistry, demo: Ed25519Signer) -> None:
    assert verify(registry, GARMENT, demo.sign_detached(GARMENT)) == demo.key_id


def test_the_detached_signature_carries_no_payload_and_verifies_elsewhere(demo: Ed25519Signer) -> None:
    header, payload, signature = demo.sign_detached(GARMENT).split(".")
    assert payload == ""
    whole = f"{header}.{base64.urlsafe_b64encode(GARMENT).rstrip(b'=').decode()}.{signature}"
    token = outside_jws.JWS()
    token.deserialize(whole)
    token.verify(outside_jwk.JWK(**demo.public_jwk), alg="EdDSA")
    assert token.payload == GARMENT


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"source": "urn:likeness:nobody"}, "unknown_source"),
        ({"source": HOUSE_SOURCE}, "unknown_key"),
    ],
)
def test_another_source_is_not_believed(
    registry: SourceRegistry, demo: Ed25519Signer, said: dict[str, str], code: str
) -> None:
    with pytest.raises(BadSignature) as refused:
        verify(registry, GARMENT, demo.sign_detached(GARMENT), **said)
    assert refused.value.code == code


def test_one_changed_byte_breaks_the_signature(registry: SourceRegistry, demo: Ed25519Signer) -> None:
    with pytest.raises(BadSignature) as refused:
        verify(registry, GARMENT.replace(b"example", b"exampla"), demo.sign_detached(GARMENT))
    assert refused.value.code == "bad_signature"


@pytest.mark.parametrize("signature", ["", "x", "a.b.c", "..", "a..b", "!!..!!", "e30..AA", "W10..AA", "é..é"])
def test_a_malformed_signature_is_refused_as_such(registry: SourceRegistry, signature: str) -> None:
    with pytest.raises(BadSignature) as refused:
        verify(registry, GARMENT, signature)
    assert refused.value.code == "signature_malformed"


def test_another_algorithm_is_refused_whatever_it_signs(registry: SourceRegistry, demo: Ed25519Signer) -> None:
    def encode(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    for algorithm in ("none", "HS256", "Ed25519"):
        header = encode(json.dumps({"alg": algorithm, "kid": demo.key_id}).encode())
        with pytest.raises(BadSignature):
            verify(registry, GARMENT, f"{header}..{encode(b'0' * 64)}")
        with pytest.raises(BadSignature):
            verify(registry, GARMENT, f"{header}..")


def limited(demo: Ed25519Signer) -> SourceRegistry:
    source = Source(
        keys=(demo.public_jwk,),
        types=("likeness.garment.*", "likeness.consent.withdrawn"),
        talents=("tal-a*",),
        brands=("example",),
        subjects=("SKU-*", "tal-*"),
    )
    return SourceRegistry(Registry(sources={DEMO_SOURCE: source}))


@pytest.mark.parametrize(
    ("event_type", "subject", "brand", "code"),
    [
        ("likeness.garment.created", "SKU-1", "example", None),
        ("likeness.consent.withdrawn", "tal-ada", "", None),
        ("likeness.consent.granted", "tal-ada", "", "type_not_allowed"),
        ("likeness.garment.created", "ART-1", "example", "subject_not_allowed"),
        ("likeness.consent.withdrawn", "tal-bea", "", "talent_not_allowed"),
        ("likeness.garment.created", "SKU-1", "other", "brand_not_allowed"),
    ],
)
def test_a_source_speaks_only_for_what_it_is_registered_for(
    demo: Ed25519Signer, event_type: str, subject: str, brand: str, code: str | None
) -> None:
    payload = json.dumps({"data": {"brand": brand}}).encode()
    said = {"event_type": event_type, "subject": subject}
    if code is None:
        assert verify(limited(demo), payload, demo.sign_detached(payload), **said)
        return
    with pytest.raises(BadSignature) as refused:
        verify(limited(demo), payload, demo.sign_detached(payload), **said)
    assert refused.value.code == code


def test_a_garment_whose_brand_cannot_be_read_is_of_no_brand(demo: Ed25519Signer) -> None:
    for payload in (b"not json", b"{}", b'{"data":[]}', b'{"data":{"brand":"other","brand":"example"}}'):
        with pytest.raises(BadSignature):
            verify(limited(demo), payload, demo.sign_detached(payload))


def test_set_up_twice_keeps_every_key(tmp_path: Path) -> None:
    folder = make_development_keys(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    make_development_keys(tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_private_keys_are_for_their_owner_only_and_public_files_hold_no_secret(keys: Path) -> None:
    for path in keys.iterdir():
        if path.name in ("sources.json", "receipt.pub.jwk"):
            assert '"d"' not in path.read_text()
        else:
            assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_can_read_is_not_used(keys: Path) -> None:
    (keys / "receipt.jwk").chmod(0o644)
    with pytest.raises(Misconfigured):
        load_signer(keys, RECEIPT_KEY)


def test_a_missing_or_linked_key_is_not_used(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        load_signer(keys, "nothing")
    (keys / "linked.jwk").symlink_to(keys / "receipt.jwk")
    with pytest.raises(Misconfigured):
        load_signer(keys, "linked")


def test_pseudonyms_are_stable_per_home_and_differ_between_homes(tmp_path: Path) -> None:
    one = load_pseudonyms(make_development_keys(tmp_path / "one"))
    two = load_pseudonyms(make_development_keys(tmp_path / "two"))
    assert one("talent", "tal-ada") == one("talent", "tal-ada") != two("talent", "tal-ada")
    assert one("talent", "x") != one("grant", "x")
    assert "tal-ada" not in one("talent", "tal-ada")
