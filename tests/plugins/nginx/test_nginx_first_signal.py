"""A nginx that just starts has no handlers of signals yet, so that SIGHUP would end it: it gets none before it answers."""

import asyncio
import logging
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from skep import TemporaryError
from skep.testing import EmbeddedEngine
from skep_nginx.places.base import OtherAnswer, ask_generation, until_answering
from tests.plugins.nginx.nginx_tools import Backend, serving

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"


@pytest.fixture
def slow(folder: Path) -> Path:
    """nginx, but it takes a moment to start."""
    path = folder / "nginx-slow"
    path.write_text(f'#!/bin/sh\ncase "$1" in -t|-V) ;; *) sleep 0.7;; esac\nexec {NGINX} "$@"\n')
    path.chmod(0o755)
    return path


async def test_a_change_right_after_its_start_does_not_end_it(
    folder: Path, slow: Path, node: EmbeddedEngine, one: Backend, two: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """The agent starts nginx with the last good configuration, and has another one at once."""
    node.run("shop", env={"VIRTUAL_HOST": "shop.example"}, ports={"80/tcp": f"127.0.0.1:{one.port}"})
    async with serving(folder, node) as served:
        await served.live("shop.example")
    node.run("new", env={"VIRTUAL_HOST": "new.example"}, ports={"80/tcp": f"127.0.0.1:{two.port}"})
    with caplog.at_level(logging.ERROR, "skep.plugins.nginx"):
        async with serving(folder, node, nginx=str(slow)) as served:
            await served.live("new.example", "shop.example")
            await served.answers("new.example", 200, "two")
            assert (served.counts["starts"], served.counts["failures"]) == (1, 0)
    assert "was killed by signal" not in caplog.text


async def test_one_that_ends_before_it_answers_is_started_with_the_new_configuration(
    folder: Path, slow: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    node.run("shop", env={"VIRTUAL_HOST": "shop.example"}, ports={"80/tcp": f"127.0.0.1:{one.port}"})
    async with serving(folder, node) as served:
        await served.live("shop.example")
    (folder / "nginx.conf").write_text("daemon off; events {} nonsense;\n")
    (folder / "nginx.conf").chmod(0o644)
    async with serving(folder, node, nginx=str(slow)) as served:
        await served.live("shop.example")
        await served.answers("shop.example", 200, "one")


@pytest.mark.parametrize(
    ("answer", "is_ready"),
    [(b"HTTP/1.1 200 OK\r\n\r\nabc", True), (b"HTTP/1.1 404 Not Found\r\n\r\n", True), (b"", False)],
)
async def test_any_answer_is_one(answer: bytes, *, is_ready: bool) -> None:
    """An nginx in a container begins with its image's configuration; whoever publishes its port takes connections before it does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await until_answering(lambda: ask_generation(None, "127.0.0.1", port), 0.05) is is_ready


async def test_it_is_asked_again_until_it_answers() -> None:
    answers: list[Exception | str] = [TemporaryError("no"), TemporaryError("no"), OtherAnswer("404")]

    async def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    asking: Callable[[], Awaitable[str]] = ask
    assert await until_answering(asking, 5)
    assert answers == []
