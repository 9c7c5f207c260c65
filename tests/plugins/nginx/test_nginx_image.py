"""What the image of agent and nginx stands on: an engine by TLS as docker's variables say it, and requests in the container's log."""

import asyncio
import contextlib
import os
import ssl
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from skep import Agent, SettingsError, parse_settings
from skep.testing import EmbeddedEngine
from skep_nginx.command import nginx
from skep_nginx.proxy import settings_table
from tests.plugins.nginx.nginx_tools import Backend, answers, free_port, serving, until


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """As docker's DOCKER_CERT_PATH wants them; one certificate serves both sides."""
    names = ["-subj", "/CN=engine", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-x509"]
    files = ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", "req", *key, *names, *files], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "ca.pem").write_bytes((tmp_path / "cert.pem").read_bytes())
    return tmp_path


async def test_dockers_variables_reach_an_engine_that_asks_for_certificates(
    certificates: Path, folder: Path, one: Backend
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    context.load_verify_locations(certificates / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    engine = EmbeddedEngine("node1")
    await engine.start("tcp://127.0.0.1:0", ssl_context=context)
    async with engine:
        engine.run("web", env={"VIRTUAL_HOST": "shop.example"}, ports={"80/tcp": one.port})
        where = f"tcp://{engine.url.partition('://')[2]}"
        table = await asyncio.to_thread(
            settings_table,
            {
                "DOCKER_HOST": where,
                "DOCKER_TLS_VERIFY": "1",
                "DOCKER_CERT_PATH": str(certificates),
                "DHPARAM_SKIP": "true",
            },
        )
        port = free_port()
        table["plugins"]["nginx"] |= {
            "listen": [f"127.0.0.1:{port}"],
            "tls": {},
            "directory": str(folder),
            "include_top": "",
        }
        table["plugins"]["nginx"] |= {"include": "", "workers": 1}
        table["http"] = {}
        async with Agent(parse_settings(table)):
            await answers(port, "shop.example", 200, "one")


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no socket: share the engine's with this container"):
        settings_table({"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"})


@pytest.mark.parametrize(
    ("words", "environ"), [(["--control", "tcp://here:1"], {}), ([], {"SKEP_CONTROL": "tcp://here:1"})]
)
def test_it_runs_beside_another_agent(
    monkeypatch: pytest.MonkeyPatch, words: list[str], environ: dict[str, str]
) -> None:
    """An address that others reach is refused without TLS, so that nothing is started, and by its name."""
    result = CliRunner().invoke(nginx, ["proxy", *words], env={"DOCKER_HOST": "tcp://127.0.0.1:1", **environ})
    assert "tcp://here:1" in f"{result.output}{result.exception}"


async def test_requests_are_in_the_containers_log(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    """An engine gives a container a pipe, which belongs to root, for its output: nginx, who is not root, writes to it all the same."""
    ours, its = os.pipe()
    kept = os.dup(1)
    os.dup2(its, 1)
    node.run("web", env={"VIRTUAL_HOST": "shop.example"}, ports={"80/tcp": f"127.0.0.1:{one.port}"})
    os.set_blocking(ours, False)
    found = bytearray()

    def logged() -> bool:
        with contextlib.suppress(BlockingIOError):
            found.extend(os.read(ours, 65536))
        return b'"GET / HTTP/1.1" 200' in found

    try:
        async with serving(folder, node, access_log="/dev/stdout") as served:
            await served.answers("shop.example", 200)
            await until(logged, what=lambda: f"not logged: {bytes(found)!r}")
    finally:
        os.dup2(kept, 1)
        for descriptor in (ours, its, kept):
            await asyncio.to_thread(os.close, descriptor)
