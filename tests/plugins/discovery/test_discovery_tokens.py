"""`token://`, against a good service and against bad ones."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
from aiohttp import web

from skep import SettingsError, TemporaryError
from skep_discovery.clusters import Clusters
from skep_discovery.commands import hints
from skep_discovery.tokens import TokenBackend, TokenUrl

BEAT = 0.01


@pytest.mark.parametrize(
    ("rest", "service", "plain", "url"),
    [
        ("t0k", "http://disc:7070", False, "http://disc:7070/v1/clusters/t0k"),
        ("t0k", "https://disc/own/v2/", False, "https://disc/own/v2/clusters/t0k"),
        ("disc/own/t0k", "", False, "https://disc/own/clusters/t0k"),
        ("disc:7070/t0k", "", False, "https://disc:7070/v1/clusters/t0k"),
        ("disc:7070/v1/t0k", "", True, "http://disc:7070/v1/clusters/t0k"),
        ("127.0.0.1:7070/v1/t0k", "", False, "http://127.0.0.1:7070/v1/clusters/t0k"),
        ("localhost:7070/t0k", "", False, "http://localhost:7070/v1/clusters/t0k"),
        ("[::1]:7070/t0k", "", False, "http://[::1]:7070/v1/clusters/t0k"),
    ],
)
def test_where_a_list_is(rest: str, service: str, plain: bool, url: str) -> None:
    assert TokenUrl.parse(rest, service=service, plain=plain).url == url


@pytest.mark.parametrize(
    ("rest", "service", "words"),
    [
        ("", "http://d", "the token is empty"),
        ("abc", "", "which service"),
        ("disc/ab?c", "", "letters, digits"),
        ("abc", "ftp://d", "expected http"),
        ("abc", "http://user:pw@d", "expected http"),
        ("d:99999/abc", "", "Port out of range"),
    ],
)
def test_a_wrong_url_is_named(rest: str, service: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        TokenUrl.parse(rest, service=service)


def test_a_message_does_not_show_the_whole_token() -> None:
    assert "secrettoken" not in TokenUrl.parse("d/secrettoken").shown


@pytest.mark.parametrize(
    ("urls", "secure", "service"),
    [
        (["tcp://127.0.0.1:7070"], False, "http://127.0.0.1:7070"),
        (["unix:///run/tokens.sock", "tcp://10.0.0.5:7070"], False, "http://10.0.0.5:7070"),
        (["tcp://0.0.0.0:7070"], False, f"http://{socket.gethostname()}:7070"),
        (["tcp://[::]:7070"], True, f"https://{socket.gethostname()}:7070"),
        (["tcp://127.0.0.1:7070"], True, "https://127.0.0.1:7070"),
    ],
)
def test_what_the_service_says_to_type_next_reaches_it(urls: list[str], secure: bool, service: str) -> None:
    first, create, join = hints(urls, secure=secure)
    assert first == f"try:  export SKEP_DISCOVERY_SERVICE={service}"
    assert create.split("$")[1] == "(skep create)"
    token = join.rpartition("token://")[2]
    assert TokenUrl.parse(token.replace("$token", "abcd"), service=service).url == f"{service}/v1/clusters/abcd"


async def test_what_joins_is_found_and_what_expires_is_gone(place: str, clusters: Clusters, clock: Any) -> None:
    rest = f"{place}/v1/{clusters.create()}"
    backend = TokenBackend()
    await backend.register(rest, {}, "10.0.0.1:2375", 60)
    watch: Any = backend.watch(rest, {}, BEAT)
    async with asyncio.timeout(10):
        assert await anext(watch) == ["10.0.0.1:2375"]
        await backend.register(rest, {}, "[::1]:2375", 120)
        assert await anext(watch) == ["10.0.0.1:2375", "[::1]:2375"]
        clock.now += 60
        assert await anext(watch) == ["[::1]:2375"]
    await watch.aclose()


async def test_wrong_input_of_ours_is_a_settings_error(place: str) -> None:
    with pytest.raises(SettingsError, match="address"):
        await TokenBackend().register(f"{place}/t", {}, "nonsense", 60)
    with pytest.raises(SettingsError, match=r"token\.plan"):
        TokenBackend().watch(f"{place}/t", {"token.plan": "true"}, BEAT)
    with pytest.raises(SettingsError, match="true or false"):
        TokenBackend().watch(f"{place}/t", {"token.plain": "yes"}, BEAT)


async def test_an_unknown_token_says_how_to_make_one(place: str) -> None:
    with pytest.raises(TemporaryError, match="skep create"):
        await TokenBackend().register(f"{place}/v1/abc", {}, "a:1", 60)


async def test_no_service_is_tried_again_later() -> None:
    with pytest.raises(TemporaryError, match=r"127\.0\.0\.1:1/.*: cannot connect: Connection refused$"):
        await TokenBackend().register("127.0.0.1:1/abc", {}, "a:1", 60)


ANSWERS = {
    "not JSON": "<html>",
    "no list": '{"a": 1}',
    "no texts": "[1, 2]",
    "no address": '["10.0.0.1"]',
    "a range": '["10.0.0.[1:9]:1"]',
    "deep": "[" * 100_000,
    "giant": json.dumps(["a:1"] * 300_000),
    "many": json.dumps([f"a{number}:1" for number in range(20_000)]),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_a_hostile_answer_is_named_and_bounded(answer: str, serve: Any) -> None:
    app = web.Application()

    async def tell(request: web.Request) -> web.Response:
        return web.Response(text=answer)

    app.router.add_get("/v1/clusters/abc", tell)
    watch: Any = TokenBackend().watch(f"{await serve(app)}/abc", {}, BEAT)
    with pytest.raises(TemporaryError, match=r"discovery http://127\.0\.0\.1"):
        await anext(watch)


async def test_a_redirect_is_not_followed(serve: Any, place: str, clusters: Clusters) -> None:
    app = web.Application()
    token = clusters.create()

    async def elsewhere(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://{place}/v1/clusters/{token}"})

    app.router.add_get("/v1/clusters/abc", elsewhere)
    with pytest.raises(TemporaryError, match="status 302"):
        await anext(TokenBackend().watch(f"{await serve(app)}/abc", {}, BEAT))


async def test_a_service_that_fails_later_leaves_the_last_list(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    app = web.Application()
    answers = ['["a:1"]', "nonsense", '["b:1"]']

    async def tell(request: web.Request) -> web.Response:
        return web.Response(text=answers.pop(0) if len(answers) > 1 else answers[0])

    app.router.add_get("/v1/clusters/abc", tell)
    watch: Any = TokenBackend().watch(f"{await serve(app)}/abc", {}, BEAT)
    async with asyncio.timeout(10):
        assert await anext(watch) == ["a:1"]
        assert await anext(watch) == ["b:1"]
    assert "the last list, of 1 engines, stays" in caplog.text
    await watch.aclose()
