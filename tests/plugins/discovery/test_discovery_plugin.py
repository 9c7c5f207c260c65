"""The plugin in an agent: its settings, and the service on the agent's own server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from skep import Agent, SettingsError, parse_settings
from skep.testing import EmbeddedEngine
from skep_discovery import DiscoveryPlugin, DiscoverySettings


def tables(tmp_path: Path, discovery: str = "", **own: Any) -> dict[str, Any]:
    return {
        "cluster": {"discovery": discovery, "heartbeat": 0.05},
        "http": {"listen": ["tcp://127.0.0.1:0"]},
        "plugins": {"discovery": own},
    }


async def ask(method: str, url: str, **options: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as response:
        return response.status, await response.text()


async def test_an_agent_keeps_tokens_and_another_finds_its_engines_there(tmp_path: Path) -> None:
    async with (
        EmbeddedEngine("one") as engine,
        Agent(parse_settings(tables(tmp_path, state_file=str(tmp_path / "clusters.json")))) as keeper,
    ):
        await engine.stop()
        await engine.start("tcp://127.0.0.1:0")
        place = keeper.urls[0].removeprefix("tcp://")
        _, token = await ask("POST", f"http://{place}/v1/clusters")
        backend = DiscoveryPlugin().discovery_backends()["token"]
        await backend.register(f"{place}/v1/{token}", {}, engine.url.removeprefix("tcp://"), 60)
        assert token in (tmp_path / "clusters.json").read_text()
        async with Agent(parse_settings(tables(tmp_path, f"token://{place}/v1/{token}"))) as manager:
            assert [state.name for state in manager.cluster.state.nodes] == ["one"]


async def test_a_page_in_a_browser_makes_no_tokens(tmp_path: Path) -> None:
    async with Agent(parse_settings(tables(tmp_path))) as keeper:
        url = keeper.urls[0].replace("tcp", "http") + "/v1/clusters"
        assert (await ask("POST", url, headers={"Origin": "http://evil.example"}))[0] == 403


async def test_it_need_not_be_a_service(tmp_path: Path) -> None:
    async with Agent(parse_settings(tables(tmp_path, serve=False))) as keeper:
        url = keeper.urls[0].replace("tcp", "http") + "/v1/clusters"
        assert (await ask("POST", url))[0] == 404


async def test_a_spoilt_state_file_keeps_the_agent_from_starting(tmp_path: Path) -> None:
    (tmp_path / "clusters.json").write_text("{")
    with pytest.raises(Exception, match=r"clusters\.json") as raised:
        async with Agent(parse_settings(tables(tmp_path, state_file=str(tmp_path / "clusters.json")))):
            pass
    assert "begin anew" in str(raised.value)


async def test_a_list_alone_is_a_list_of_nodes(tmp_path: Path) -> None:
    async with EmbeddedEngine("one") as engine:
        await engine.stop()
        await engine.start("tcp://127.0.0.1:0")
        place = engine.url.removeprefix("tcp://")
        async with Agent(parse_settings(tables(tmp_path, place))) as manager:
            assert [state.name for state in manager.cluster.state.nodes] == ["one"]


async def test_a_wrong_list_keeps_the_agent_from_starting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nonsense"):
        async with Agent(parse_settings(tables(tmp_path, "nodes://nonsense"))):
            pass


def test_the_service_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKEP_DISCOVERY_SERVICE", "http://env:1")
    assert DiscoveryPlugin().discovery_backends()["token"].service == "http://env:1"  # type: ignore[attr-defined]
    own = DiscoveryPlugin(DiscoverySettings(service="http://own:1"))
    assert own.discovery_backends()["token"].service == "http://own:1"  # type: ignore[attr-defined]


@pytest.mark.parametrize("own", [{"max_clusters": 0}, {"max_members": 10**9}, {"service": 1}, {"surprise": 1}])
def test_wrong_settings_are_named(tmp_path: Path, own: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"plugins.discovery.{next(iter(own))}"):
        Agent(parse_settings(tables(tmp_path, **own)))
