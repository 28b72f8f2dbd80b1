"""Keys: Ed25519 key files in the home, the signers that hold them, and the registry of who may say what.

home/keys (0700) holds private keys (0600) as JWK files named `<name>.jwk`, the public half of the receipt key beside it
(`receipt.pub.jwk`) and `sources.json`, the registry.
"""

import hmac
import json
import os
import secrets
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from schemas.asset import short_digest
from schemas.base import Schema
from schemas.envelope import CONSENT_TYPES, GARMENT_TYPES, MalformedEvent, explain, strict_json
from tasks import jws
from tasks.errors import BadSignature, Misconfigured
from tasks.ports import Verified

DEMO_SOURCE = "urn:likeness:demo"
HOUSE_SOURCE = "urn:likeness:house"
"""Speaks for withdrawals made by hand, so that the consent topic alone can rebuild the ledger."""
RECEIPT_KEY = "receipt"


class Ed25519Signer:
    """Implements tasks.ports.Signer."""

    def __init__(self, key: OKPKey, key_id: str) -> None:
        self._key = key
        self.key_id = key_id

    def sign(self, payload: bytes) -> str:
        return jws.sign(payload, self._key, self.key_id)

    def sign_detached(self, payload: bytes) -> str:
        return jws.detach(self.sign(payload))

    @property
    def public_jwk(self) -> dict[str, Any]:
        return public_jwk(self._key, self.key_id)


def public_jwk(key: OKPKey, key_id: str) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": key_id, "alg": "EdDSA", "use": "sig"}


class Source(Schema):
    """One producer: its public keys (JWK), and the types, talents, brands and subjects that it may speak for.
    `*` within a pattern stands for anything; an empty list permits nothing."""

    keys: tuple[dict[str, Any], ...]
    types: tuple[str, ...]
    talents: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ("*",)


class Registry(Schema):
    sources: dict[str, Source]


class SourceRegistry:
    """Implements tasks.ports.SourceKeys over `sources.json`."""

    def __init__(self, registry: Registry) -> None:
        self.sources = registry.sources

    @classmethod
    def load(cls, path: Path) -> "SourceRegistry":
        try:
            return cls(Registry.model_validate_json(path.read_bytes()))
        except FileNotFoundError:
            raise Misconfigured(f"there is no registry of sources at {path}: run `likeness up` or set-up") from None
        except ValidationError as error:
            raise Misconfigured(f"{path}: {explain(error)}") from None

    def verify(self, payload: bytes, signature: str, *, source: str, event_type: str, subject: str) -> Verified:
        """Raises BadSignature: signature_malformed, unknown_source, unknown_key, bad_signature, type_not_allowed,
        subject_not_allowed, talent_not_allowed or brand_not_allowed."""
        token = jws.attach(signature, payload)
        key_id = jws.key_id_of(signature)
        producer = self.sources.get(source)
        if producer is None:
            raise BadSignature(f"nobody is registered as {source}", code="unknown_source")
        key = next((key for key in producer.keys if key.get("kid") == key_id), None)
        if key is None:
            raise BadSignature(f"{source} has no key {key_id!r}", code="unknown_key")
        jws.verify(token, key)
        self._check_rights(producer, payload, source, event_type, subject)
        return Verified(source, key_id)

    def _check_rights(self, producer: Source, payload: bytes, source: str, event_type: str, subject: str) -> None:
        if not _matches(event_type, producer.types):
            raise BadSignature(f"{source} may not send {event_type}", code="type_not_allowed")
        if not _matches(subject, producer.subjects):
            raise BadSignature(f"{source} may not speak about {subject}", code="subject_not_allowed")
        if event_type in CONSENT_TYPES and not _matches(subject, producer.talents):
            raise BadSignature(f"{source} may not speak for the talent {subject}", code="talent_not_allowed")
        if event_type in GARMENT_TYPES and not _matches(brand := _brand_in(payload), producer.brands):
            raise BadSignature(f"{source} may not speak for the brand {brand!r}", code="brand_not_allowed")


def _brand_in(payload: bytes) -> str:
    try:
        return str(strict_json(payload)["data"]["brand"])
    except (MalformedEvent, KeyError, TypeError):
        return ""


def _matches(value: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


class Pseudonyms:
    """Keyed pseudonyms for receipts: stable, and of no use to anyone who can guess ids but lacks the secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __call__(self, kind: str, identifier: str) -> str:
        digest = hmac.digest(self._secret, f"{kind}\n{identifier}".encode(), "sha256")
        return f"{kind}-{short_digest(digest.hex())}"


# ---------------------------------------------------------------- files
def load_signer(folder: Path, name: str) -> Ed25519Signer:
    """The private key in `folder/<name>.jwk`. Raises Misconfigured if it is missing, wrong, or open to others."""
    path = folder / f"{name}.jwk"
    content = json.loads(_read_private(path))
    try:
        key = OKPKey.import_key(content)
    except (JoseError, ValueError) as error:
        raise Misconfigured(f"{path} is no Ed25519 key: {error}") from None
    return Ed25519Signer(key, str(content.get("kid") or key.thumbprint()))


def load_pseudonyms(folder: Path) -> Pseudonyms:
    return Pseudonyms(_read_private(folder / "pseudonyms.secret"))


def load_source_signer(folder: Path, source: str) -> Ed25519Signer:
    return load_signer(folder, source_key_name(source))


def source_key_name(source: str) -> str:
    return "source-" + "".join(c if c.isalnum() else "-" for c in source.removeprefix("urn:likeness:"))


def _read_private(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise Misconfigured(f"cannot read the key {path}: {error.strerror}; set-up makes development keys") from None
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise Misconfigured(f"{path} can be read by others: chmod 600")
        return file.read()


def _write_private(path: Path, data: bytes) -> None:
    """Create with mode 0600; an existing key is never overwritten."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _ensure_key(folder: Path, name: str) -> Ed25519Signer:
    path = folder / f"{name}.jwk"
    if not path.exists():
        key = OKPKey.generate_key("Ed25519", private=True)
        _write_private(
            path, json.dumps({**key.as_dict(private=True), "kid": f"{name}-{key.thumbprint()[:8]}"}).encode()
        )
    return load_signer(folder, name)


def make_development_keys(home: Path) -> Path:
    """Make what is missing in home/keys: keys of the demo source and of the house, the receipt key, the pseudonyms'
    secret and the registry. Never overwrites a key or a registry. Returns the folder."""
    folder = home / "keys"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    demo = _ensure_key(folder, source_key_name(DEMO_SOURCE))
    house = _ensure_key(folder, source_key_name(HOUSE_SOURCE))
    receipt = _ensure_key(folder, RECEIPT_KEY)
    _write_private(folder / "pseudonyms.secret", secrets.token_hex(32).encode())
    (folder / f"{RECEIPT_KEY}.pub.jwk").write_text(json.dumps(receipt.public_jwk, indent=1))
    registry = folder / "sources.json"
    if not registry.exists():
        registry.write_text(_development_registry(demo, house).model_dump_json(indent=1))
    return folder


def _development_registry(demo: Ed25519Signer, house: Ed25519Signer) -> Registry:
    everything = Source(keys=(demo.public_jwk,), types=(*GARMENT_TYPES, *CONSENT_TYPES), talents=("*",), brands=("*",))
    withdrawals = Source(keys=(house.public_jwk,), types=("likeness.consent.withdrawn",), talents=("*",))
    return Registry(sources={DEMO_SOURCE: everything, HOUSE_SOURCE: withdrawals})
