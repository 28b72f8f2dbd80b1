"""Who may change something, until roles exist: one operator token, signed sessions, CSRF tokens, loopback only."""

import hashlib
import hmac
import ipaddress
import secrets
from pathlib import Path

from tasks.errors import Misconfigured

SESSION_COOKIE = "likeness_operator"
_LOOPBACK_NAMES = {"localhost"}


def operator_token(keys: Path) -> str:
    """The token in `keys/operator-token`, made with mode 0600 on first use."""
    path = keys / "operator-token"
    if not path.exists():
        keys.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24) + "\n")
    return path.read_text().strip()


def require_loopback(host: str) -> None:
    """Raises Misconfigured unless `host` is a loopback address: without roles nobody else may reach the console."""
    if host in _LOOPBACK_NAMES:
        return
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise Misconfigured(
        f"the console refuses to listen on {host!r}: until roles exist it binds loopback only "
        "(127.0.0.1, ::1, localhost)",
        code="console_not_loopback",
    )


def is_loopback_host_header(value: str) -> bool:
    """False for a Host header that names another machine (DNS rebinding)."""
    name = value.rsplit(":", 1)[0] if not value.endswith("]") else value
    name = name.strip("[]")
    if name in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class OperatorSessions:
    """Stateless sessions: `nonce.mac` under a key derived from the token, so a new token ends them all."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._key = hashlib.sha256(b"likeness console sessions\n" + self._token).digest()

    def _mac(self, purpose: str, nonce: str) -> str:
        return hmac.new(self._key, f"{purpose}\n{nonce}".encode(), hashlib.sha256).hexdigest()

    def is_token(self, candidate: str) -> bool:
        return hmac.compare_digest(candidate.strip().encode(), self._token)

    def begin(self) -> str:
        nonce = secrets.token_urlsafe(16)
        return f"{nonce}.{self._mac('session', nonce)}"

    def is_session(self, cookie: str | None) -> bool:
        nonce, _, mac = (cookie or "").partition(".")
        return bool(nonce) and hmac.compare_digest(mac.encode(), self._mac("session", nonce).encode())

    def csrf(self, cookie: str) -> str:
        return self._mac("csrf", cookie.partition(".")[0])

    def is_csrf(self, cookie: str, candidate: str) -> bool:
        return hmac.compare_digest(candidate.encode(), self.csrf(cookie).encode())
