"""The log of changing calls (and group 12): what is in it, what never is, and what happens when it cannot be written."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from skep import RequestError
from skep_policy.audit import AuditLog

RULES = {"alice": {"clients": ["ip:127.0.0.1"], "allow": ["run"], "profile": "baseline"}}


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_line_for_each_changing_call(serving: Any, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with serving("n1", rules=RULES, audit=str(path)) as served:
        body = {"Image": "busybox", "Cmd": ["sleep", "9"], "Env": ["TOKEN=hunter2"]}
        headers = {"X-Registry-Auth": "c2VjcmV0", "X-Forwarded-For": "9.9.9.9"}
        _, made = await served.call("POST", "/v1.41/containers/create?name=web", json=body, headers=headers)
        await served.known(1)
        await served.call("GET", "/containers/json")
        await served.call("POST", "/containers/web/start")
        await served.call("POST", "/containers/web/kill?signal=KILL")
        await served.call("POST", "/containers/create", json={"Image": "busybox", "HostConfig": {"Privileged": True}})
        await served.call("POST", "/containers/create", "127.0.0.2", json=body)
        await served.call("POST", "/containers/create", data=b'{"a": 1, "a": 2}')
    lines = lines_of(path)
    assert [(each["operation"], each["status"], each.get("rule")) for each in lines] == [
        ("container.create", 201, "alice"),
        ("container.start", 204, "alice"),
        ("container.kill", 204, "alice"),
        ("container.create", 403, "alice"),
        ("container.create", 403, None),
        ("container.create", 400, "alice"),
    ]
    first, second, _, refused, stranger, _ = lines
    assert (first["client"], first["node"], first["container"], first["name"]) == ("127.0.0.1", "n1", made["Id"], "web")
    assert (second["path"], second["name"]) == (f"/containers/{made['Id']}/start", "web")
    assert (refused["refused_by"], "Privileged" in refused["error"]) == ("alice", True)
    assert "no rule" in stranger["error"]
    text = path.read_text()
    for secret in ("hunter2", "TOKEN", "c2VjcmV0", "9.9.9.9"):
        assert secret not in text
    assert path.stat().st_mode & 0o777 == 0o600


async def test_no_name_makes_a_line_of_its_own(serving: Any, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with serving("n1", rules=RULES, audit=str(path)) as served:
        for name in ('x%0a%7b"client":"root"%7d', "x%0d%0ay", "x%1b%5b2J", "x%e2%80%a8y"):
            await served.call("POST", f"/containers/create?name={name}", json={"Image": "busybox"})
            await served.call("POST", f"/containers/{name}/kill")
    lines = lines_of(path)
    assert len(lines) == 8
    assert {line["client"] for line in lines} == {"127.0.0.1"}
    assert b"\x1b" not in path.read_bytes()


async def test_it_stays_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, most=1000, sync=True, log=logging.getLogger("test"))
    await asyncio.gather(*(log.write(b'{"n": %d}' % number) for number in range(1000)))
    kept = [path, path.with_name("audit.jsonl.1")]
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(each.name for each in kept)
    for number in range(1000, 1200):
        await log.write(b'{"n": %d}' % number)
    assert path.stat().st_size <= 1000
    found = [each["n"] for each in lines_of(kept[1]) + lines_of(kept[0])]
    assert found == list(range(1200 - len(found), 1200))


async def test_what_cannot_be_written_waits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "gone" / "audit.jsonl"
    log = AuditLog(path, most=2**20, sync=False, log=logging.getLogger("test"))
    for number in range(3):
        await log.write(b"%d" % number)
    assert log.error == "No such file or directory"
    assert len([each for each in caplog.records if each.levelno == logging.ERROR]) == 1
    with pytest.raises(RequestError, match="cannot be written") as caught:
        await log.require()
    assert caught.value.status == 503
    path.parent.mkdir()
    await log.require()
    assert path.read_text().split() == ["0", "1", "2"]
    assert log.error == ""


async def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    log = AuditLog(Path("/dev/full"), most=2**20, sync=False, log=logging.getLogger("test"))
    await log.write(b"x")
    assert log.error == "No space left on device"


@pytest.mark.parametrize("required", [False, True])
async def test_nothing_changes_unseen_where_the_log_is_required(serving: Any, tmp_path: Path, required: bool) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    options = {"audit": str(folder / "audit.jsonl"), "audit_required": required}
    async with serving("n1", rules=RULES, **options) as served:
        assert (await served.create())[0] == 201
        (folder / "audit.jsonl").unlink()
        folder.rmdir()
        assert (await served.create())[0] == 201  # the one whose line was lost
        assert (await served.create())[0] == (503 if required else 201)
        assert (await served.call("GET", "/containers/json"))[0] == 200
        folder.mkdir()
        assert (await served.create())[0] == 201
    assert len(lines_of(folder / "audit.jsonl")) == 3


async def test_a_client_that_knows_the_end_early_hides_nothing(serving: Any, tmp_path: Path) -> None:
    """An answer without a body has ended with its head, and docker goes then."""
    path = tmp_path / "audit.jsonl"
    async with serving("n1", rules=RULES, audit=str(path)) as served:
        _, made = await served.call("POST", "/networks/create", json={"Name": "x"})
        reader, writer = await asyncio.open_connection(*served.url.removeprefix("http://").split(":"))
        try:
            writer.write(f"DELETE /networks/{made['Id']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            async with asyncio.timeout(5):
                assert b" 204 " in await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.close()
        async with asyncio.timeout(5):
            while not path.exists() or len(lines_of(path)) < 2:
                await asyncio.sleep(0.01)
    removed = lines_of(path)[1]
    assert (removed["operation"], removed["status"]) == ("network.remove", 204)
