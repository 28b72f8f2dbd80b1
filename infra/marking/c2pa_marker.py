"""The Marker: encode as JPEG with XMP, sign with C2PA last, read back, and refuse whatever is not trusted."""

import hashlib
import io
import json
import os
import threading
from collections.abc import Mapping
from typing import Any

import c2pa
from PIL import Image

from infra.marking.certificates import Chain
from tasks.errors import ChecksFailed, Misconfigured
from tasks.imaging.pictures import U8
from tasks.mark import Statement, c2pa_manifest, state, xmp_packet
from tasks.ports import Marked

_JPEG = "image/jpeg"


class C2paMarker:
    """Implements tasks.ports.Marker. Safe in threads; made anew in a forked child, whose parent's context is dead."""

    def __init__(self, chain: Chain, *, quality: int = 92) -> None:
        self._chain, self._quality = chain, quality
        self._lock = threading.Lock()
        self._process = -1
        self._context: Any = None
        self._signer: Any = None

    def mark(self, image: U8, *, title: str, asset_id: str, scene_label: str, facts: Mapping[str, str]) -> Marked:
        statement = state(title, asset_id, scene_label, facts)
        signed = self._sign(self._encode(image, statement), c2pa_manifest(statement, _JPEG))
        manifest = self.read(signed)
        if manifest["validation_state"] != "Trusted":
            raise ChecksFailed(
                f"{asset_id}: credentials read back as {manifest['validation_state']}: {manifest['failures']}"
            )
        return Marked(signed, _JPEG, hashlib.sha256(signed).hexdigest(), image.shape[1], image.shape[0], manifest)

    def read(self, data: bytes, content_type: str = _JPEG) -> dict[str, Any]:
        """validation_state (Trusted, Valid or Invalid), failures and the active manifest of a marked file.

        Raises ChecksFailed if it has no credentials at all, e.g. after being encoded again.
        """
        context, _ = self._engine()
        try:
            with c2pa.Reader(content_type, io.BytesIO(data), context=context) as reader:
                report = json.loads(reader.json())
                validation = reader.get_validation_results() or {}
                found = str(reader.get_validation_state())
        except c2pa.C2paError as error:
            raise ChecksFailed(f"no readable content credentials: {error}", code="no_credentials") from error
        failures = [item["code"] for item in (validation.get("activeManifest") or {}).get("failure", [])]
        active = report["manifests"][report["active_manifest"]]
        return {"validation_state": found, "failures": failures, "label": report["active_manifest"], "manifest": active}

    def _encode(self, image: U8, statement: Statement) -> bytes:
        """JPEG 4:4:4, because halved chroma smears the edges of saturated garments and of the label."""
        buffer = io.BytesIO()
        picture = Image.fromarray(image)
        picture.save(buffer, "JPEG", quality=self._quality, subsampling="4:4:4", xmp=xmp_packet(statement))
        return buffer.getvalue()

    def _sign(self, data: bytes, manifest: dict[str, Any]) -> bytes:
        context, signer = self._engine()
        signed = io.BytesIO()
        try:
            with c2pa.Builder(manifest, context) as builder:
                builder.sign(signer, _JPEG, io.BytesIO(data), signed)
        except c2pa.C2paError as error:
            raise ChecksFailed(f"signing content credentials failed: {error}", code="signing_failed") from error
        return signed.getvalue()

    def _engine(self) -> tuple[Any, Any]:
        with self._lock:
            if self._process != os.getpid():
                self._context, self._signer = _context(self._chain), _signer(self._chain)
                self._process = os.getpid()
            return self._context, self._signer


def _context(chain: Chain) -> Any:
    """Offline: no remote manifests, no revocation look-ups; no thumbnails, which cost more than all the rest."""
    settings = {
        "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "trust": {"trust_anchors": chain.anchors},
        "builder": {"thumbnail": {"enabled": False}},
    }
    return c2pa.Context(settings=c2pa.Settings.from_dict(settings))


def _signer(chain: Chain) -> Any:
    information = c2pa.C2paSignerInfo(
        alg=b"es256", sign_cert=chain.certificates.encode(), private_key=chain.private_key.encode(), ta_url=None
    )
    try:
        return c2pa.Signer.from_info(information)
    except c2pa.C2paError as error:
        raise Misconfigured(f"the C2PA certificate chain cannot sign: {error}") from error
