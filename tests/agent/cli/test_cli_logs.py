"""The log on a terminal."""

from __future__ import annotations

import logging

import pytest

from skep.cli.logs import configure_logging


def test_neither_message_nor_traceback_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\x1b]0;mine\x07"
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    configure_logging()
    try:
        raise ValueError(evil)
    except ValueError:
        logging.getLogger("skep.test").exception("%s failed", evil)
    finally:
        root.handlers, root.level = before, level
    told = capsys.readouterr().err
    assert "ValueError" in told
    assert all(line.isprintable() for line in told.splitlines())
