"""A development certificate chain for C2PA: a root and a signing certificate, made once at set-up.

Production brings a chain from a certificate authority on the C2PA trust list, in the same three files.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tasks.errors import Misconfigured

_NAMES = {"chain": "c2pa-chain.pem", "key": "c2pa-key.pem", "anchors": "c2pa-anchors.pem"}


@dataclass(frozen=True)
class Chain:
    """PEM texts: signing certificate with its issuers, its private key (ECDSA P-256, ES256), trusted roots."""

    certificates: str
    private_key: str
    anchors: str


def _name(common: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Likeness (development)")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _root(key: ec.EllipticCurvePrivateKey, start: datetime, end: datetime) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(_name("Likeness development root"))
        .issuer_name(_name("Likeness development root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    key: ec.EllipticCurvePrivateKey, root: x509.Certificate, root_key: ec.EllipticCurvePrivateKey, end: datetime
) -> x509.Certificate:
    issuer_id = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder()
        .subject_name(_name("Likeness development signer"))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(root.not_valid_before_utc)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
        .sign(root_key, hashes.SHA256())
    )


def development_chain(*, valid_from: datetime | None = None, days: int = 365) -> Chain:
    """A fresh root and leaf, valid for `days` from `valid_from` (default: yesterday, so that clocks may differ)."""
    start = valid_from or datetime.now(UTC) - timedelta(days=1)
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _root(root_key, start, start + timedelta(days=max(days, 3650)))
    leaf = _leaf(leaf_key, root, root_key, start + timedelta(days=days))
    pem = serialization.Encoding.PEM
    root_pem, leaf_pem = root.public_bytes(pem).decode(), leaf.public_bytes(pem).decode()
    private = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Chain(leaf_pem + root_pem, private.decode(), root_pem)


def make_development_chain(folder: Path) -> Chain:
    """Write a fresh chain into `folder` unless one is there; the private key is readable by its owner only."""
    if (folder / _NAMES["chain"]).exists():
        return read_chain(folder)
    chain = development_chain()
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / _NAMES["key"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(chain.private_key)
    (folder / _NAMES["anchors"]).write_text(chain.anchors)
    (folder / _NAMES["chain"]).write_text(chain.certificates)
    return chain


def read_chain(folder: Path) -> Chain:
    """The chain in `folder`. Raises Misconfigured if a file of it is missing."""
    try:
        return Chain(*((folder / _NAMES[kind]).read_text() for kind in ("chain", "key", "anchors")))
    except FileNotFoundError as error:
        raise Misconfigured(
            f"no C2PA certificate at {error.filename}: run `likeness up` once, or bring a chain"
        ) from error
