"""The token service over HTTP, and its state file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from skep import SettingsError
from skep_discovery.clusters import Clusters
from skep_discovery.service import TokenService


async def ask(method: str, url: str, **options: object) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as response:  # type: ignore[arg-type]
        return response.status, await response.text()


async def test_the_protocol_of_dockers_service(place: str) -> None:
    status, token = await ask("POST", f"http://{place}/v1/clusters")
    assert (status, len(token)) == (200, 32)
    cluster = f"http://{place}/v1/clusters/{token}"
    assert await ask("GET", cluster) == (200, "[]")
    assert (await ask("POST", f"{cluster}?ttl=180", data="10.0.0.1:2375"))[0] == 200
    assert (await ask("POST", cluster, data="10.0.0.2:2375\n"))[0] == 200
    assert json.loads((await ask("GET", cluster))[1]) == ["10.0.0.1:2375", "10.0.0.2:2375"]
    assert (await ask("DELETE", cluster))[0] == 200
    assert (await ask("GET", cluster))[0] == 404


@pytest.mark.parametrize(
    ("query", "body", "status", "words"),
    [
        ("?ttl=x", "a:1", 400, "ttl"),
        ("?ttl=0", "a:1", 400, "ttl"),
        ("?ttl=99999999999999999999", "a:1", 400, "ttl"),
        ("?ttl=-5", "a:1", 400, "ttl"),
        ("", "", 400, "address"),
        ("", "nonsense", 400, "host:port"),
        ("", b"\xff\xfe", 400, "ASCII"),
        ("", "a" * 301, 413, "300 bytes"),
        ("", b"x" * 500_000, 413, "300 bytes"),
    ],
)
async def test_bad_registrations_are_named(
    place: str, clusters: Clusters, query: str, body: str | bytes, status: int, words: str
) -> None:
    token = clusters.create()
    got, text = await ask("POST", f"http://{place}/v1/clusters/{token}{query}", data=body)
    assert got == status
    assert words in json.loads(text)["message"]
    assert clusters.addresses(token) == []


async def test_the_state_file_outlives_the_service(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    from aiohttp import web

    file = tmp_path / "clusters.json"
    service = TokenService(Clusters(), file)
    await service.load()
    app = web.Application()
    service.add_routes(app.router)
    place = await serve(app)
    _, token = await ask("POST", f"http://{place}/v1/clusters")
    await ask("POST", f"http://{place}/v1/clusters/{token}?ttl=60", data="a:1")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["clusters.json"]

    later = Clusters()
    await TokenService(later, file).load()
    assert later.addresses(token) == ["a:1"]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"t": {"a:1": 0}}', '{"t": {"a": 60}}', '{"t": {"a:1": "60"}}', "[" * 100_000]
)
async def test_a_spoilt_state_file_is_named_and_left(tmp_path: Path, content: str) -> None:
    file = tmp_path / "clusters.json"
    file.write_text(content)
    with pytest.raises(SettingsError, match=r"clusters\.json.*begin anew"):
        await TokenService(Clusters(), file).load()
    assert file.read_text() == content


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
async def test_a_state_file_that_is_no_file_is_named_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    file = tmp_path / "clusters.json"
    make(file)
    with pytest.raises(SettingsError, match=r"clusters\.json: it is no regular file"):
        await TokenService(Clusters(), file).load()
