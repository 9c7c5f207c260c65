"""Places that the README names are this machine's: a test of it runs only where they are free."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest


@pytest.fixture
def free_places() -> None:
    """Fail at once, and in words, where something of the README's addresses is in use."""
    for port in (2375, 3375, 7070, 7071):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                pytest.fail(f"port {port}, which the README uses, is in use here: {error.strerror}", pytrace=False)
    with socket.socket(socket.AF_UNIX) as unix:
        if Path("/run/skep.sock").exists() and unix.connect_ex("/run/skep.sock") == 0:
            pytest.fail("an agent listens at /run/skep.sock, which the README uses", pytrace=False)
