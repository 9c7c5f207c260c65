"""Sites come and go in a real nginx."""

import asyncio
import json
import os
import signal
import socket
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from skep import ContainerStopping, HttpServer
from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_tools import Backend, ask, exists, free_port, serving, until


def shop(port: int, host: str = "shop.example") -> dict[str, object]:
    return {"env": {"VIRTUAL_HOST": host}, "ports": {"80/tcp": port}}


async def test_sites_come_and_go(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    async with serving(folder, node) as served:
        await served.answers("shop.example", 503)
        node.run("web", **shop(one.port))  # type: ignore[arg-type]
        await served.answers("shop.example", 200, "one\n")
        await served.answers("SHOP.example:81", 200, "one\n")
        await served.answers("other.example", 503)
        node.stop_container("web")
        await served.answers("shop.example", 503)
        await served.live("shop.example")  # it stays known while the container is there
        node.start_container("web")
        await served.answers("shop.example", 200)
        node.pause("web")
        await served.answers("shop.example", 503)
        node.unpause("web")
        await served.answers("shop.example", 200)
        node.remove("web", force=True)
        await served.live()


async def test_an_unknown_host_may_get_another_answer_than_one_without_servers(
    folder: Path, node: EmbeddedEngine, one: Backend
) -> None:
    node.create("new", **shop(one.port, "new.example"))  # type: ignore[arg-type]
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    node.stop_container("web")
    async with serving(folder, node, unknown_host=404) as served:
        await served.answers("shop.example", 503)
        await served.answers("new.example", 404)  # nobody started it yet
        await served.answers("other.example", 404)


async def test_requests_are_shared_and_wildcards_match(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    async with EmbeddedEngine("node2") as other, serving(folder, node, other) as served:
        node.run("web1", **shop(one.port, "shop.example,*.shop.example"))  # type: ignore[arg-type]
        other.run("web2", **shop(two.port, "shop.example,www.shop.*"))  # type: ignore[arg-type]
        await served.live("shop.example", "*.shop.example", "www.shop.*")
        seen = {(await ask(served.port, "shop.example"))[1].split("\n")[0] for _ in range(10)}
        assert seen == {"one", "two"}
        assert (await ask(served.port, "x.shop.example"))[1].startswith("one")
        assert (await ask(served.port, "www.shop.test"))[1].startswith("two")
        await other.stop()  # a dead node's containers leave at once
        await until(lambda: len([s for s in served.status["sites"]["shop.example"] if s["address"]]) == 1)
        seen = {(await ask(served.port, "shop.example"))[1].split("\n")[0] for _ in range(10)}
        assert seen == {"one"}


async def test_when_no_node_answers_the_last_configuration_stays(
    folder: Path, node: EmbeddedEngine, one: Backend
) -> None:
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    async with serving(folder, node) as served:
        await served.answers("shop.example", 200)
        await node.stop()
        await until(lambda: "no node answers" in served.status["error"])
        await served.answers("shop.example", 200)


async def test_headers_that_containers_get(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    sent = (
        "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nProxy: http://evil\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
    )
    async with serving(folder, node) as served:
        await served.answers("shop.example", 200)
        _, got = await ask(served.port, "shop.example", headers=sent)
        assert f"Host: shop.example:{served.port}\r\n" in got
        assert f"X-Forwarded-Host: shop.example:{served.port}\r\n" in got
        assert "X-Forwarded-For: 127.0.0.1\r\n" in got
        assert "X-Forwarded-Proto: http\r\n" in got
        assert "evil" not in got
        assert "Upgrade:" not in got  # h2c would carry requests past nginx
        _, got = await ask(served.port, "shop.example", headers="Upgrade: websocket\r\n")
        assert "Upgrade: websocket\r\nConnection: upgrade\r\n" in got


async def test_headers_of_a_trusted_proxy_in_front(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    async with serving(folder, node, trust_forwarded=True) as served:
        await served.answers("shop.example", 200)
        _, got = await ask(
            served.port, "shop.example", headers="X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
        )
        assert "X-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n" in got
        assert "X-Forwarded-Proto: https\r\n" in got


async def test_only_healthy_containers_get_requests(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    node.run("web", health="starting", **shop(one.port))  # type: ignore[arg-type]
    async with serving(folder, node) as served:
        await served.answers("shop.example", 503)
        node.set_health("web", "healthy")
        await served.answers("shop.example", 200)
        node.set_health("web", "unhealthy")
        await served.answers("shop.example", 503)


async def test_a_wrong_container_is_left_out_alone(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    node.run(
        "evil",
        env={"VIRTUAL_HOST": "shop.example; } evil {"},
        ports={"80/tcp": one.port + 1 if one.port < 65535 else 1},
    )
    node.run("badport", env={"VIRTUAL_HOST": "p.example", "VIRTUAL_PORT": "80;"})
    async with serving(folder, node) as served:
        await served.live("shop.example")
        await served.answers("shop.example", 200)
        out = {entry["container"]: entry for entry in served.status["left_out"]}
        assert set(out) == {"evil", "badport"}
        assert "expected a name such as www.example.com" in out["evil"]["reason"]
        assert "VIRTUAL_PORT is '80;'" in out["badport"]["reason"]
        samples = {(m.name, m.labels): m.value for m in served.plugin.metrics()}
        assert samples["skep_nginx_left_out", (("by", "value"),)] == 2
        assert samples["skep_nginx_sites", ()] == samples["skep_nginx_live", ()] == 1


async def test_a_burst_makes_few_reloads(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    async with serving(folder, node) as served:
        await served.live()
        for number in range(100):
            node.run(f"web{number}", env={"VIRTUAL_HOST": f"shop{number}.example"}, NetworkMode="host")
        await served.live(*(f"shop{number}.example" for number in range(100)))
        assert served.counts["reloads"] <= 10
        assert served.counts["starts"] == 1


async def test_nothing_is_reloaded_for_what_changes_nothing(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    async with serving(folder, node) as served:
        await served.live("shop.example")
        reloads, renders = served.counts["reloads"], served.counts["renders"]
        node.run("quiet")
        node.rename("web", "other")
        await until(lambda: served.counts["renders"] > renders)
        assert served.counts["reloads"] == reloads


async def test_a_killed_nginx_is_started_again(folder: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    async with serving(folder, node) as served:
        await served.answers("shop.example", 200)
        for starts in (2, 3):
            os.kill(served.pid(), signal.SIGKILL)
            await until(lambda wanted=starts: served.counts["starts"] == wanted)  # type: ignore[misc]
            await served.answers("shop.example", 200)
        node.run("new", **shop(two.port, "new.example"))  # type: ignore[arg-type]
        await served.answers("new.example", 200)
        last = served.pid()
    assert not exists(last)


async def test_a_taken_port_is_told_and_tried_again(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        async with serving(folder, node, port=port, retry=0.5) as served:
            await until(lambda: "Address already in use" in served.status["error"])
            assert served.status["state"] == "failing"
            assert f"127.0.0.1:{port}" in served.status["error"]
            taken.close()
            await served.live("shop.example")
            await served.answers("shop.example", 200)


async def test_nginx_of_an_agent_that_was_killed_is_taken_over(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    async with serving(folder, node) as first:
        await first.answers("shop.example", 200)
        pid = first.pid()
        async with serving(folder, node, port=first.port) as second:
            await second.live("shop.example")
            assert second.pid() == pid
            assert second.counts["reloads"] == second.counts["starts"] == 0
            node.run("new", **shop(two.port, "new.example"))  # type: ignore[arg-type]
            await second.answers("new.example", 200)
    assert not exists(pid)


async def test_a_start_begins_with_the_last_good_configuration(
    folder: Path, node: EmbeddedEngine, one: Backend
) -> None:
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    async with serving(folder, node) as first:
        await first.answers("shop.example", 200)
    url = node.url
    await node.stop()  # nothing is known of its containers now
    async with serving(folder, url, port=first.port) as second:
        await second.answers("shop.example", 200)


async def test_a_container_that_is_stopped_through_skep_gets_no_more_requests(
    folder: Path, node: EmbeddedEngine, one: Backend
) -> None:
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    async with serving(folder, node) as served:
        await served.answers("shop.example", 200)
        container = served.agent.cluster.state.named("web")[0]
        one.held = asyncio.Event()
        under_way = asyncio.create_task(ask(served.port, "shop.example"))
        await served.plugin.container_stopping(ContainerStopping(container, "stop"))
        assert (await ask(served.port, "shop.example"))[0] == 503
        one.held.set()
        assert (await under_way)[0] == 200
        node.restart_container("web")
        await served.answers("shop.example", 200)


async def test_a_stop_waits_for_nothing_that_nginx_does_not_serve(folder: Path, node: EmbeddedEngine) -> None:
    node.run("quiet")
    async with serving(folder, node, drain=60) as served:
        await served.live()
        container = served.agent.cluster.state.named("quiet")[0]
        async with asyncio.timeout(1):
            await served.plugin.container_stopping(ContainerStopping(container, "stop"))


async def test_the_status_by_http_and_by_command(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    from skep_nginx.command import nginx

    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    node.run("evil", env={"VIRTUAL_HOST": "~.*"})
    async with serving(folder, node) as served:
        await served.live("shop.example")
        app = web.Application()
        served.plugin.add_routes(app.router)
        async with HttpServer(app, ["tcp://127.0.0.1:0"]) as server:

            def run(*words: str) -> str:
                result = CliRunner().invoke(nginx, ["status", "--agent", server.urls[0], *words])
                assert result.exit_code == 0, result.output
                return result.output

            shown = await asyncio.to_thread(run)
            assert f"shop.example  node1/web  127.0.0.1:{one.port}" in shown
            assert "left out: node1/evil: VIRTUAL_HOST has '~.*': it matches every name" in shown
            assert json.loads(await asyncio.to_thread(run, "--json")) == json.loads(json.dumps(served.status))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_nginx_is_never_root(folder: Path, node: EmbeddedEngine) -> None:
    async with serving(folder, node) as served:
        await served.live()
        status = Path(f"/proc/{served.pid()}/status").read_text()
        assert "Uid:\t0" not in status
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status
        modes = {path: path.stat().st_mode & 0o777 for path in (folder, folder / "run", folder / "nginx.conf")}
        assert modes == {folder: 0o755, folder / "run": 0o700, folder / "nginx.conf": 0o644}


async def test_requests_are_logged_on_the_agents_own_output(
    folder: Path, node: EmbeddedEngine, one: Backend, capfd: pytest.CaptureFixture[str]
) -> None:
    node.run("web", **shop(one.port))  # type: ignore[arg-type]
    async with serving(folder, node, access_log="/dev/stdout") as served:
        await served.answers("shop.example", 200)
        printed = ""

        def logged() -> bool:
            nonlocal printed
            printed += capfd.readouterr().out
            return '"GET / HTTP/1.1" 200' in printed

        await until(logged)
