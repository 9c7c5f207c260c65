"""An nginx that somebody ends is started again, whatever signal it was, and whoever still talks to it."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_raw import open_tunnel, tunnels
from tests.plugins.nginx.nginx_tools import Backend, serving, until
from tests.plugins.nginx.nginx_variables import run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
async def test_one_that_is_told_to_end(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend, number: signal.Signals
) -> None:
    """By `kill`, or `nginx -s quit`."""
    run(node, "shop", one.port)
    async with serving(folder, node) as served:
        await served.answers("shop.example", 200, "one")
        pid = served.pid()
        os.kill(pid, number)
        run(node, "new", two.port)
        await served.answers("new.example", 200, "two")
        await served.answers("shop.example", 200, "one")
        await served.live("new.example", "shop.example")
        assert served.pid() != pid
        assert served.counts["starts"] == 2


async def test_one_that_is_told_to_end_when_its_requests_have(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    """A tunnel may be open for an hour; it listens no more all that time."""
    async with tunnels() as (port, ends), asyncio.timeout(30):
        run(node, "chat", port)
        run(node, "shop", one.port)
        async with serving(folder, node) as served:
            await served.live("chat.example", "shop.example")
            _, writer = await open_tunnel(served.port, "chat.example")
            inside, end = await ends.get()
            with contextlib.closing(writer), contextlib.closing(end):
                os.kill(served.pid(), signal.SIGQUIT)
                await until(lambda: served.counts["starts"] == 2)
                await served.answers("shop.example", 200, "one")
                writer.write(b"still here")
                assert await asyncio.wait_for(inside.readexactly(10), 5) == b"still here"
