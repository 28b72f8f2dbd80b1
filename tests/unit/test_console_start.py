"""The console's process: it listens on this machine's own addresses only."""

from pathlib import Path

import pytest

from console.web.__main__ import main
from tasks.errors import Misconfigured


def test_the_console_does_not_start_on_an_address_that_others_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    monkeypatch.setenv("LIKENESS_CONSOLE__HOST", "0.0.0.0")
    with pytest.raises(Misconfigured, match="loopback"):
        main()
