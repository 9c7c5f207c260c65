"""What a container does and holds: top, stats, changes, archive, export."""

from __future__ import annotations

import asyncio
import base64
import io
import tarfile
import time

import msgspec
from aiohttp import web

from skep.testing.embedded.errors import EngineError, not_running
from skep.testing.embedded.routing import Call, Reply, Routes, answer, nothing
from skep.testing.embedded.state import Container, Json
from skep.testing.embedded.times import ZERO, rfc3339

from .containers import named

routes = Routes()
TAR = "application/x-tar"
FOLDERS = ("bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "var")


@routes.add("GET", "/containers/{name}/top")
async def top(call: Call) -> Reply:
    """The one process of a container."""
    container = named(call)
    if not container.running:
        raise not_running(container.id)
    command = " ".join(container.argv)
    started = rfc3339(container.started)[11:16]
    call.engine.state.emit_container(container, "top")
    if "aux" in call.text("ps_args"):
        titles = ["USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND"]
        row = ["root", str(container.pid), "0.0", "0.0", "2268", "1376", "?", "Ss", started, "0:00", command]
    else:
        titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
        row = ["root", str(container.pid), "1", "0", started, "?", "00:00:00", command]
    return answer({"Titles": titles, "Processes": [row]})


@routes.add("GET", "/containers/{name}/stats")
async def stats(call: Call) -> Reply | web.StreamResponse:
    """Usage, invented but steady; one sample, or one a second."""
    container = named(call)
    if not call.flag("stream", default=True):
        return answer(_sample(call, container))
    response = web.StreamResponse(headers={**call.engine.headers(), "Content-Type": "application/json"})
    await response.prepare(call.request)
    while container.id in call.engine.state.containers:
        await response.write(msgspec.json.encode(_sample(call, container)) + b"\n")
        await asyncio.sleep(1)
    return response


def _sample(call: Call, container: Container) -> Json:
    now = time.time_ns()
    alive = container.running
    first = call.flag("one-shot")
    blkio = (
        "io_service_bytes",
        "io_serviced",
        "io_queue",
        "io_service_time",
        "io_wait_time",
        "io_merged",
        "io_time",
    )
    used = (now - container.started) // 1000 if alive else 0
    interface = dict.fromkeys((f"{way}_{what}" for way in ("rx", "tx") for what in _INTERFACE), 0)
    memory: Json = {"usage": 557056, "max_usage": 3821568, "stats": {"cache": 0, "rss": 53248}}
    memory["limit"] = container.host.get("Memory") or call.engine.memory
    return {
        "read": rfc3339(now) if alive else ZERO,
        "preread": rfc3339(now - 1_000_000_000) if alive and not first else ZERO,
        "pids_stats": {"current": 1} if alive else {},
        "blkio_stats": {f"{name}_recursive": [] if alive else None for name in (*blkio, "sectors")},
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _cpu(call, used, now if alive else 0),
        "precpu_stats": _cpu(call, max(0, used - 1_000_000), now - 1_000_000_000 if alive and not first else 0),
        "memory_stats": memory if alive else {},
        "name": f"/{container.name}",
        "id": container.id,
        **({"networks": {"eth0": interface}} if alive else {}),
    }


_INTERFACE = ("bytes", "packets", "errors", "dropped")


def _cpu(call: Call, used: int, now: int) -> Json:
    cpus = call.engine.cpus
    usage: Json = {"total_usage": used, "usage_in_kernelmode": 0, "usage_in_usermode": used}
    running: Json = {}
    if now:
        usage["percpu_usage"] = [used // cpus] * cpus
        running = {"system_cpu_usage": now * cpus, "online_cpus": cpus}
    throttling = {"periods": 0, "throttled_periods": 0, "throttled_time": 0}
    return {"cpu_usage": usage, **running, "throttling_data": throttling}


@routes.add("GET", "/containers/{name}/changes")
async def changes(call: Call) -> Reply:
    """Nothing ever changes in a simulated file system."""
    named(call)
    return answer(None)


@routes.add("POST", "/containers/{name}/resize")
async def resize(call: Call) -> Reply:
    """The terminal's size: taken note of, nothing else."""
    container = named(call)
    call.size()
    if not container.running:
        raise not_running(container.id)
    call.engine.state.emit_container(container, "resize", height=call.text("h"), width=call.text("w"))
    return nothing(200)


@routes.add("GET", "/containers/{name}/export")
async def export(call: Call) -> Reply:
    """A tar of a nearly empty file system."""
    container = named(call)
    call.engine.state.emit_container(container, "export")
    return Reply(200, tree(FOLDERS), TAR)


@routes.add("GET", "/containers/{name}/archive")
@routes.add("HEAD", "/containers/{name}/archive")
async def archive(call: Call) -> Reply:
    """A tar of one of its folders."""
    container, path = named(call), call.text("path").strip("/")
    if path and path not in FOLDERS:
        raise EngineError(404, f"Could not find the file /{path} in container {call.names['name']}")
    stat = {
        "name": path or "/",
        "size": 4096,
        "mode": 2147484141,
        "mtime": rfc3339(container.created),
        "linkTarget": "",
    }
    headers = {"X-Docker-Container-Path-Stat": base64.b64encode(msgspec.json.encode(stat)).decode()}
    if call.request.method == "HEAD":
        return Reply(200, b"", TAR, headers)
    call.engine.state.emit_container(container, "archive-path")
    return Reply(200, tree([path or "."]), TAR, headers)


@routes.add("PUT", "/containers/{name}/archive")
async def extract(call: Call) -> Reply:
    """Takes a tar and forgets it."""
    container = named(call)
    await call.request.read()
    call.engine.state.emit_container(container, "extract-to-dir")
    return nothing(200)


def tree(folders: tuple[str, ...] | list[str]) -> bytes:
    """A tar of empty folders."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in folders:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, 0
            tar.addfile(entry)
    return buffer.getvalue()
