"""Store keys: which strings may name an object, on every adapter alike."""

import re

from tasks.errors import PermanentError

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:@=+-]{0,199}(/[A-Za-z0-9_][A-Za-z0-9._:@=+-]{0,199}){0,15}")
_LONGEST = 900


def check_key(key: str) -> str:
    """The key itself. Raises PermanentError: no empty, dotted or absolute part, nothing outside a plain alphabet."""
    if len(key) > _LONGEST or not _KEY.fullmatch(key):
        raise PermanentError(f"{key[:80]!r} cannot be the key of a stored object", code="bad_store_key")
    return key
