"""JWS in compact form with EdDSA (RFC 7515, 8037): sign, detach, attach, verify. One algorithm, nothing negotiated."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import EdDSAAlgorithm, JWSAlgModel
from joserfc.jwk import OKPKey

from tasks.errors import BadSignature

_EDDSA = EdDSAAlgorithm()


class _EdDSAOnly(jws.JWSRegistry):
    """Outside verifiers know `EdDSA` better than RFC 9864's new name; receipts outgrow joserfc's 128 kB."""

    max_payload_length = 64 * 1024 * 1024

    def get_alg(self, name: str) -> JWSAlgModel:
        if name != "EdDSA":
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not EdDSA")
        return _EDDSA


_REGISTRY = _EdDSAOnly()
PublicJwk = Mapping[str, Any]


def sign(payload: bytes, key: OKPKey, key_id: str) -> str:
    return jws.serialize_compact({"alg": "EdDSA", "kid": key_id}, payload, key, registry=_REGISTRY)


def verify(token: str, key: PublicJwk) -> bytes:
    """The payload. Raises BadSignature if `key` (a public Ed25519 JWK) did not sign exactly this."""
    try:
        return jws.deserialize_compact(token, OKPKey.import_key(dict(key)), registry=_REGISTRY).payload
    except (JoseError, ValueError) as error:
        raise BadSignature(f"the signature does not verify: {error}") from None


def detach(token: str) -> str:
    """The token without its payload (RFC 7515, appendix F): `header..signature`."""
    header, _, signature = token.split(".")
    return f"{header}..{signature}"


def attach(detached: str, payload: bytes) -> str:
    """The token that `detach` was called on. Raises BadSignature if `detached` has another form."""
    parts = detached.split(".")
    if len(parts) != 3 or parts[1]:
        raise BadSignature("the signature is no detached JWS (header..signature)", code="signature_malformed")
    return f"{parts[0]}.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}.{parts[2]}"


def key_id_of(token: str) -> str:
    """The `kid` that the protected header names, unverified. Raises BadSignature."""
    header = token.partition(".")[0]
    try:
        content = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (binascii.Error, ValueError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("kid"), str):
        raise BadSignature("the signature's header names no kid", code="signature_malformed")
    kid: str = content["kid"]
    return kid
