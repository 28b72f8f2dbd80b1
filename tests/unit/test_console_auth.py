"""The operator's token, sessions and CSRF tokens, and the loopback rule."""

from pathlib import Path

import pytest

from console.auth import OperatorSessions, is_loopback_host_header, operator_token, require_loopback
from tasks.errors import Misconfigured


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.9.1"])
def test_loopback_addresses_are_accepted(host: str) -> None:
    require_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "console.example", ""])
def test_every_other_address_is_refused(host: str) -> None:
    with pytest.raises(Misconfigured, match="loopback"):
        require_loopback(host)


@pytest.mark.parametrize(
    ("value", "mine"),
    [
        ("127.0.0.1:8000", True),
        ("localhost", True),
        ("[::1]:80", True),
        ("evil.example", False),
        ("10.0.0.1:80", False),
    ],
)
def test_host_headers_of_other_machines_are_seen(value: str, mine: bool) -> None:
    assert is_loopback_host_header(value) is mine


def test_the_token_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    token = operator_token(tmp_path)
    assert operator_token(tmp_path) == token
    assert (tmp_path / "operator-token").stat().st_mode & 0o077 == 0


def test_a_session_of_another_token_is_none_of_ours() -> None:
    ours, theirs = OperatorSessions("one"), OperatorSessions("two")
    session = ours.begin()
    assert ours.is_session(session)
    assert not theirs.is_session(session)
    assert not ours.is_session(session[:-1] + ("0" if session[-1] != "0" else "1"))
    assert not ours.is_session(None)
    assert not ours.is_session("")


def test_a_csrf_token_belongs_to_one_session() -> None:
    sessions = OperatorSessions("one")
    mine, other = sessions.begin(), sessions.begin()
    assert sessions.is_csrf(mine, sessions.csrf(mine))
    assert not sessions.is_csrf(mine, sessions.csrf(other))
    assert not sessions.is_csrf(mine, "")
