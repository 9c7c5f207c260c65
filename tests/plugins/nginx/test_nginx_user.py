"""Whom nginx runs as."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from skep import TemporaryError
from skep_nginx.places.user import Account
from skep_nginx.settings import NginxSettings

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives rights away")


@needs_root
def test_root_runs_nginx_as_somebody_else() -> None:
    account = Account.choose(NginxSettings())
    assert account.uid != 0
    assert account.words[0] == shutil.which("setpriv")


@needs_root
@pytest.mark.parametrize(
    ("listen", "external", "low"), [("80", (), True), ("8080", (), False), ("8080", ("8000-8999", "1000-2000"), True)]
)
def test_ports_that_take_a_right(listen: str, external: tuple[str, ...], low: bool) -> None:
    words = Account.choose(NginxSettings(listen=(f"0.0.0.0:{listen}",), external_ports=external)).words
    assert any("net_bind_service" in word for word in words) is low


@needs_root
@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "#!/bin/sh\necho \"setpriv: unrecognized option '--version'\" >&2; exit 1",
            "is not the setpriv of util-linux",
        ),
        ("no program", "does not run"),
    ],
)
def test_another_setpriv_is_named(script: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "setpriv").write_text(script)
    (tmp_path / "setpriv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(TemporaryError, match=told):
        Account.choose(NginxSettings())
