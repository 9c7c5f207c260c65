"""`exec`: commands run in a container."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from skep.testing.embedded import commands
from skep.testing.embedded.errors import EngineError, not_running
from skep.testing.embedded.lifecycle import environment
from skep.testing.embedded.output import STDERR, STDOUT, Output
from skep.testing.embedded.programs import Process
from skep.testing.embedded.routing import Call, Reply, Routes, answer, nothing
from skep.testing.embedded.state import Exec, new_id
from skep.testing.embedded.streams import connect, converse

from .containers import named

routes = Routes()
# Seconds before an exec's first output. No real engine is quicker, and docker-py needs it: what comes
# together with the head of the answer is lost in the buffer of its HTTP library.
STARTUP = 0.01


def _exec(call: Call) -> Exec:
    found = call.engine.state.execs.get(call.names["id"])
    if found is None:
        raise EngineError(404, f"No such exec instance: {call.names['id']}")
    return found


@routes.add("POST", "/containers/{name}/exec")
async def create(call: Call) -> Reply:
    """Prepare a command; it runs when it is started."""
    container = named(call)
    body = await call.json(bad=400)
    argv = body.get("Cmd") or []
    if not argv or not isinstance(argv, list):
        raise EngineError(400, "No exec command specified")
    if container.status == "paused":
        raise EngineError(409, f"Container {call.names['name']} is paused, unpause the container before exec")
    if container.status != "running":
        raise not_running(container.id)
    run = Exec(new_id(), container, [str(word) for word in argv], body, Output())
    call.engine.state.execs[run.id] = run
    container.execs.append(run.id)
    _emit(call, run, f"exec_create: {argv[0]} {' '.join(run.argv[1:])}")
    return answer({"Id": run.id}, 201)


@routes.add("POST", "/exec/{id}/start")
async def start(call: Call) -> Reply | web.StreamResponse:
    """Run it: detached, or with its streams on this connection."""
    body = await call.json(required=False)
    run = _exec(call)
    tty = bool(body.get("Tty"))
    if body.get("Detach"):
        _run(call, run, tty=tty)
        return nothing(200)
    follow = run.output.follow()
    if run.exit_code is not None or run.running:
        state = "is already running" if run.running else "has already run"
        refusal = Output()
        follow = refusal.follow()
        refusal.write(STDOUT, f"Error: Exec command {run.id} {state}\r\n".encode())
        refusal.end()
        return await converse(connect(call, tty=tty), follow, tty=tty, wanted=lambda chunk: True, feed=None)
    run.running = True
    connection = connect(call, tty=tty)
    await asyncio.sleep(STARTUP)
    _run(call, run, tty=tty)
    streams = {number for number, key in ((STDOUT, "AttachStdout"), (STDERR, "AttachStderr")) if run.config.get(key)}
    return await converse(
        connection,
        follow,
        tty=tty,
        wanted=lambda chunk: chunk.stream in streams,
        feed=run.process if run.config.get("AttachStdin") else None,
    )


def _run(call: Call, run: Exec, *, tty: bool) -> None:
    def ended(code: int) -> None:
        run.running, run.exit_code, run.pid = False, code, 0
        _emit(call, run, "exec_die", exitCode=str(code))
        run.output.end()

    given = dict(entry.split("=", 1) for entry in run.config.get("Env") or () if "=" in entry)
    stdin = bool(run.config.get("AttachStdin"))
    env = environment(run.container) | given
    run.process = Process(env, run.output.write, ended, tty=tty, stdin=stdin, strict=True)
    run.running, run.pid = True, call.engine.lifecycle.pid()
    _emit(call, run, f"exec_start: {run.argv[0]} {' '.join(run.argv[1:])}")
    run.process.start(commands.program(run.process, run.argv))


def _emit(call: Call, run: Exec, action: str, **extra: str) -> None:
    call.engine.state.emit_container(run.container, action, execID=run.id, **extra)


@routes.add("GET", "/exec/{id}/json")
async def inspect(call: Call) -> Reply:
    """How it stands."""
    run = _exec(call)
    config: dict[str, Any] = run.config
    process = {
        "tty": bool(config.get("Tty")),
        "entrypoint": run.argv[0],
        "arguments": run.argv[1:],
        "privileged": bool(config.get("Privileged")),
    }
    return answer(
        {
            "ID": run.id,
            "Running": run.running,
            "ExitCode": run.exit_code,
            "ProcessConfig": process,
            "OpenStdin": bool(config.get("AttachStdin")),
            "OpenStderr": bool(config.get("AttachStderr")),
            "OpenStdout": bool(config.get("AttachStdout")),
            "CanRemove": False,
            "ContainerID": run.container.id,
            "DetachKeys": config.get("DetachKeys", ""),
            "Pid": run.pid,
        }
    )


@routes.add("POST", "/exec/{id}/resize")
async def resize(call: Call) -> Reply:
    """The terminal's size: taken note of, nothing else."""
    _exec(call)
    call.size()
    return nothing(200)
