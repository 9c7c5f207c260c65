"""`logs`: what a container wrote, once or followed."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.output import STDERR, STDOUT, Chunk, frame
from skep.testing.embedded.routing import Call, Reply, Routes
from skep.testing.embedded.times import rfc3339, timestamp

from .containers import named

routes = Routes()


@routes.add("GET", "/containers/{name}/logs")
async def logs(call: Call) -> Reply | web.StreamResponse:
    """The kept lines, then, with `follow`, those that come until the container ends."""
    streams = {number for number, name in ((STDOUT, "stdout"), (STDERR, "stderr")) if call.flag(name)}
    if not streams:
        raise EngineError(400, "Bad parameters: you must choose at least one stream")
    container = named(call)
    tty = bool(container.config.get("Tty"))
    stamped = call.flag("timestamps")
    since, until = timestamp(call.text("since")) or 0, timestamp(call.text("until")) or 0

    def shown(chunks: Iterable[Chunk]) -> bytes:
        found = [c for c in chunks if c.stream in streams and c.time >= since and not (until and c.time > until)]
        stamps = [c._replace(data=f"{rfc3339(c.time)} ".encode() + c.data) for c in found] if stamped else found
        return b"".join(chunk.data if tty else frame(chunk) for chunk in stamps)

    output = call.engine.lifecycle.output(container)
    follow = output.follow() if call.flag("follow") and container.running else None
    lines = [line for chunk in output.kept() for line in _lines(chunk)]
    tail = call.text("tail")
    kept = lines[max(0, len(lines) - int(tail)) :] if tail.isdigit() else lines
    response = web.StreamResponse(headers=call.engine.headers())
    response.content_type = "application/octet-stream" if not tty else "text/plain"
    await response.prepare(call.request)
    await response.write(shown(kept))
    if follow is not None:
        async for chunk in follow:
            if data := shown(_lines(chunk)):
                await response.write(data)
    return response


def _lines(chunk: Chunk) -> list[Chunk]:
    """A write as the lines that a log keeps."""
    return [chunk._replace(data=line) for line in chunk.data.splitlines(keepends=True)]
