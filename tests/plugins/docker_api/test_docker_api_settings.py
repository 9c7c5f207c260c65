"""The plugin's settings, and what it serves by them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from skep import SettingsError
from skep_docker_api import DockerApiSettings

Serving = Callable[..., AbstractAsyncContextManager[Any]]
TLS = {"cert": "a", "key": "b"}


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"listen": []}, "listen"),
        ({"listen": "tcp://127.0.0.1:1"}, "listen"),
        ({"socket_mode": "rw"}, "socket_mode"),
        ({"socket_mode": "06600"}, "socket_mode"),
        ({"names": "both"}, "names"),
        ({"tls": {"cert": "a"}}, "cert and key"),
        ({"listen": ["tcp://0.0.0.0:2376"], "tls": TLS}, "allow_insecure"),
        ({"listen": ["tcp://:2376"], "tls": TLS}, "allow_insecure"),
        ({"listen": ["tcp://[::]:2376"], "tls": TLS}, "allow_insecure"),
        ({"listen": ["manager:2376"], "tls": TLS}, "allow_insecure"),
    ],
)
def test_wrong_settings_are_refused(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(table, DockerApiSettings)


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"listen": ["unix:///run/x.sock", "tcp://127.0.0.1:1", "localhost:2", "[::1]:3"], "tls": TLS},
        {"listen": ["tcp://0.0.0.0:2376"], "tls": {**TLS, "ca": "c"}},
        {"listen": ["tcp://0.0.0.0:2376"], "tls": TLS, "allow_insecure": True},
    ],
)
def test_right_settings_are_taken(table: dict[str, Any]) -> None:
    msgspec.convert(table, DockerApiSettings)


async def test_plain_tcp_for_other_machines_is_refused(serving: Serving) -> None:
    with pytest.raises(BaseException) as caught:
        async with serving("n1", settings={"listen": ("tcp://0.0.0.0:0",)}):
            pass
    errors = caught.value.exceptions if isinstance(caught.value, BaseExceptionGroup) else [caught.value]
    assert "would be root" in str(errors[0])


async def test_it_listens_on_several_addresses(serving: Serving, tmp_path: Path) -> None:
    listen = (f"unix://{tmp_path}/a.sock", "tcp://127.0.0.1:0")
    async with serving("n1", settings={"listen": listen}) as api:
        assert [url.partition("://")[0] for url in api.plugin.urls] == ["unix", "tcp"]
        for url in api.plugin.urls:
            connector = aiohttp.UnixConnector(url[7:]) if url.startswith("unix") else None
            async with aiohttp.ClientSession(connector=connector) as session:
                base = "http://docker" if connector else url.replace("tcp", "http")
                async with session.get(f"{base}/v1.41/containers/json") as response:
                    assert (response.status, await response.json()) == (200, [])
    assert not (tmp_path / "a.sock").exists()


async def test_missing_certificates_keep_it_from_starting(serving: Serving, tmp_path: Path) -> None:
    tls = msgspec.convert({"tls": {"cert": str(tmp_path / "no.pem"), "key": "b"}}, DockerApiSettings).tls
    with pytest.raises(BaseException) as caught:
        async with serving("n1", settings={"tls": tls}):
            pass
    errors = caught.value.exceptions if isinstance(caught.value, BaseExceptionGroup) else [caught.value]
    assert "no.pem" in str(errors[0])
    assert isinstance(errors[0], SettingsError) or "docker_api" in str(errors[0])
