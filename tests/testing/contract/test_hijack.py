"""Attach and exec: connections taken over, frames, half-close."""

from __future__ import annotations

from typing import Any

import pytest

from .api import Subject, frames

INTERACTIVE: dict[str, Any] = {"OpenStdin": True, "StdinOnce": True, "AttachStdin": True}
ALL = "stream=1&stdin=1&stdout=1&stderr=1"


@pytest.mark.parametrize(("upgrade", "status"), [(True, 101), (False, 200)])
async def test_attach_answers_101_to_those_who_ask_to_upgrade(engine: Subject, upgrade: bool, status: int) -> None:
    id_ = await engine.run("attached")

    taken = await engine.hijack(f"/containers/{id_}/attach?{ALL}", upgrade=upgrade)

    assert taken.status == status
    lines = taken.head.lower().split("\r\n")
    assert "content-type: application/vnd.docker.raw-stream" in lines
    assert ("upgrade: tcp" in lines) == upgrade


async def test_cat_returns_what_it_is_given_and_ends_with_its_input(engine: Subject) -> None:
    """`echo hi | docker run -i busybox cat` must return: the half-close is its end of input."""
    id_ = await engine.create("echoing", "cat", **INTERACTIVE)
    taken = await engine.hijack(f"/containers/{id_}/attach?{ALL}")
    await engine.post(f"/containers/{id_}/start")

    taken.writer.write(b"hi\n")
    assert await taken.frame() == (1, b"hi\n")
    taken.writer.write_eof()

    assert await taken.rest() == b""
    assert (await engine.until(id_, "exited"))["State"]["ExitCode"] == 0


async def test_output_and_errors_come_in_frames_of_their_own(engine: Subject) -> None:
    id_ = await engine.create("writing", "sh", "-c", "echo out; echo err >&2; exit 3")
    taken = await engine.hijack(f"/containers/{id_}/attach?stream=1&stdout=1&stderr=1")
    await engine.post(f"/containers/{id_}/start")

    assert frames(await taken.rest()) == {1: b"out\n", 2: b"err\n"}


async def test_only_the_streams_that_are_asked_for(engine: Subject) -> None:
    id_ = await engine.create("writing", "sh", "-c", "echo out; echo err >&2")
    taken = await engine.hijack(f"/containers/{id_}/attach?stream=1&stderr=1")
    await engine.post(f"/containers/{id_}/start")

    assert frames(await taken.rest()) == {2: b"err\n"}


async def test_a_terminal_s_stream_is_raw(engine: Subject) -> None:
    id_ = await engine.create("terminal", "echo", "hello", Tty=True)
    taken = await engine.hijack(f"/containers/{id_}/attach?stream=1&stdout=1")
    await engine.post(f"/containers/{id_}/start")

    assert await taken.rest() == b"hello\r\n"


async def test_attach_with_logs_begins_with_what_was_written(engine: Subject) -> None:
    id_ = await engine.run("talking", "sh", "-c", "echo before; sleep 1000")
    while b"before" not in (await engine.get(f"/containers/{id_}/logs?stdout=1")).body:
        pass

    taken = await engine.hijack(f"/containers/{id_}/attach?logs=1&stream=1&stdout=1")

    assert await taken.frame() == (1, b"before\n")


async def test_attach_refusals_are_plain_text(engine: Subject) -> None:
    id_ = await engine.run("halted")
    await engine.post(f"/containers/{id_}/pause")

    missing = await engine.hijack("/containers/nosuch/attach?stream=1")
    paused = await engine.hijack("/containers/halted/attach?stream=1&stdout=1")

    assert (missing.status, paused.status) == (404, 409)
    missing.writer.write_eof()
    assert await missing.reader.readline() == b"No such container: nosuch\r\n"
    assert await paused.reader.readline() == b"container halted is paused, unpause the container before attach\r\n"


async def _exec(engine: Subject, id_: str, *command: str, **more: Any) -> str:
    body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, **more}
    return str((await engine.post(f"/containers/{id_}/exec", body)).body["Id"])


@pytest.mark.parametrize("upgrade", [True, False])
async def test_exec_writes_and_ends(engine: Subject, upgrade: bool) -> None:
    id_ = await engine.run("host")
    run = await _exec(engine, id_, "sh", "-c", "echo out; echo err >&2; exit 3")

    taken = await engine.hijack(f"/exec/{run}/start", {"Detach": False}, upgrade=upgrade)

    assert taken.status == (101 if upgrade else 200)
    assert frames(await taken.rest()) == {1: b"out\n", 2: b"err\n"}
    found = (await engine.get(f"/exec/{run}/json")).body
    assert (found["Running"], found["ExitCode"], found["ContainerID"]) == (False, 3, id_)
    assert found["ProcessConfig"]["entrypoint"] == "sh"


async def test_exec_s_input_ends_with_the_half_close(engine: Subject) -> None:
    id_ = await engine.run("host")
    run = await _exec(engine, id_, "cat", AttachStdin=True)
    taken = await engine.hijack(f"/exec/{run}/start", {"Detach": False})

    taken.writer.write(b"in\n")
    assert await taken.frame() == (1, b"in\n")
    taken.writer.write_eof()

    assert await taken.rest() == b""


async def test_exec_with_an_environment_of_its_own(engine: Subject) -> None:
    id_ = await engine.run("host", Env=["A=container", "B=container"])
    run = await _exec(engine, id_, "env", Env=["A=exec"])

    taken = await engine.hijack(f"/exec/{run}/start", {})
    lines = frames(await taken.rest())[1].decode().splitlines()

    assert {"A=exec", "B=container", f"HOSTNAME={id_[:12]}"} <= set(lines)


async def test_exec_of_what_is_not_there(engine: Subject) -> None:
    id_ = await engine.run("host")
    run = await _exec(engine, id_, "nosuch")

    taken = await engine.hijack(f"/exec/{run}/start", {})

    text = frames(await taken.rest())[1]
    assert b'exec: "nosuch": executable file not found in $PATH' in text
    assert (await engine.get(f"/exec/{run}/json")).body["ExitCode"] == 126


async def test_exec_runs_once(engine: Subject) -> None:
    id_ = await engine.run("host")
    run = await _exec(engine, id_, "true")
    await (await engine.hijack(f"/exec/{run}/start", {})).rest()

    again = await engine.hijack(f"/exec/{run}/start", {})

    assert f"Error: Exec command {run} has already run".encode() in await again.rest()


async def test_detached_exec_answers_at_once(engine: Subject) -> None:
    id_ = await engine.run("host")
    run = await _exec(engine, id_, "sleep", "1000")

    answer = await engine.post(f"/exec/{run}/start", {"Detach": True})

    assert (answer.status, answer.body) == (200, b"")
    assert (await engine.get(f"/exec/{run}/json")).body["Running"] is True


async def test_an_exec_dies_with_its_container(engine: Subject) -> None:
    id_ = await engine.run("host")
    run = await _exec(engine, id_, "sh", "-c", "echo up; sleep 1000")
    taken = await engine.hijack(f"/exec/{run}/start", {})
    assert await taken.frame() == (1, b"up\n")

    await engine.post(f"/containers/{id_}/kill")

    assert await taken.rest() == b""


@pytest.mark.parametrize("size", [1, 70_000, 1_000_000])
async def test_large_input_comes_back_whole(engine: Subject, size: int) -> None:
    id_ = await engine.create("echoing", "cat", **INTERACTIVE)
    taken = await engine.hijack(f"/containers/{id_}/attach?{ALL}")
    await engine.post(f"/containers/{id_}/start")

    taken.writer.write(b"x" * size)
    received = 0
    while received < size:
        received += len((await taken.frame())[1])
    taken.writer.write_eof()

    assert received == size
    assert await taken.rest() == b""
