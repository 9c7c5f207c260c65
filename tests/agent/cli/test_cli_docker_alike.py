"""Command lines read by us and by Docker's own command line: what matters for placement must be the same."""

from __future__ import annotations

import json
import os
import re
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep.cli.docker_flags import SHORT, SWITCHES, UNREAD
from skep.cli.docker_run import _VALUES, parse_docker_run
from skep.errors import RequestError

HOST = {
    "Binds", "CpuShares", "CpusetCpus", "IpcMode", "Links", "Memory", "MemoryReservation", "NanoCpus", "NetworkMode", "PidMode",
    "PortBindings", "PublishAllPorts", "UTSMode", "VolumesFrom", "AutoRemove", "Privileged",
}  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    """As much of an engine as `docker run` asks."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(b"OK")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.taken.append((self.path, body))  # type: ignore[attr-defined]
        self._answer(b'{"Id": "%s", "Warnings": []}' % (b"a" * 64), 201)

    def _answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Api-Version", "1.50")
        self.send_header("Ostype", "linux")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "docker"

    def log_message(self, *_: object) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Docker:
    """The real command line, before an engine that writes down what it is asked."""

    def __init__(self, socket: Path, taken: list[tuple[str, bytes]]) -> None:
        self.url = f"unix://{socket}"
        self.taken = taken

    def create(self, arguments: list[str]) -> tuple[str, dict[str, Any]] | str:
        """The name and the body that `docker run` sends, or its complaint."""
        self.taken.clear()
        environ = {"HOME": "/nonexistent", "PATH": os.environ["PATH"], "HERE": "1"}
        done = subprocess.run(
            ["docker", "-H", self.url, "run", "--detach", *arguments], env=environ, capture_output=True, text=True
        )
        if not self.taken:
            assert done.returncode, done
            return done.stderr
        path, body = self.taken[0]
        return parse_qs(urlsplit(path).query).get("name", [""])[0], json.loads(body)


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    socket = tmp_path_factory.mktemp("d") / "s"
    server = _Server(str(socket), _Handler)
    server.taken = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Docker(socket, server.taken)  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def matters(name: str, body: dict[str, Any]) -> dict[str, Any]:
    """What of a body placement may look at; what is empty as what is not there."""
    host = {key: value for key, value in (body.get("HostConfig") or {}).items() if key in HOST and value}
    mounts = [
        {key: each.get(key) for key in ("Type", "Source", "Target")} for each in body["HostConfig"].get("Mounts") or []
    ]
    endpoints = ((body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}).items()
    networks = {key: (value or {}).get("Links") for key, value in endpoints if key != "default"}
    top = {
        key: body.get(key) or None for key in ("Image", "Env", "Labels", "ExposedPorts", "Cmd", "Hostname", "Volumes")
    }
    networks = {key: links for key, links in networks.items() if links or key != host["NetworkMode"]}
    host["Binds"] = sorted(host.get("Binds") or ())
    top["Env"] = sorted(set(body.get("Env") or ()))  # docker shuffles what -e says
    return {"name": name, "host": host, "mounts": mounts, "networks": networks, **top}


def check(docker: Docker, arguments: list[str]) -> bool:
    """Both read it alike, or both refuse it; True where they read it."""
    theirs = docker.create(arguments)
    complaint = ""
    try:
        run = parse_docker_run(arguments)
    except RequestError as error:
        complaint = str(error)
    assert not complaint or isinstance(theirs, str), f"docker takes {arguments}, we say: {complaint}"
    if complaint or isinstance(theirs, str):
        return False  # more than we look at: values that placement does not depend on are not checked
    assert matters(run.name, run.body) == matters(*theirs), arguments
    return True


LINES = r"""
-e A=b -e HERE -e NOT_HERE -e constraint:node==x -e spread:zone -eX=y -e=Z=1 x
--env-file ENV -e A=last --label-file LABELS -l a=b -l only --label c=d=e x
-d x
-itd --rm --name web --pull never -q x sh -c -e
--name=web -h host --hostname=other x
-p 80 -p 8080:80 -p 127.0.0.1:8080:80/udp -p 127.0.0.1::81 -p [::1]:82:82 x
-p 8000-8002:80-82 -p 9000-9005:90 -p 53:53/UDP x
-p target=80,published=8080 -p published=53,target=53,protocol=udp,mode=host x
-P --expose 80 --expose 90-92/udp --expose 100/tcp x
-m 512m --memory-reservation 1g --memory-swap -1 --cpus 1.5 -c 512 --cpuset-cpus 0-1 x
-m 1.5GiB --cpus .5 --cpu-shares=0x10 x
--memory 3MB --cpus 3/2 x
--link db --link a:b --volumes-from data:ro --volumes-from other x
--link db --network own x
--network host x
--network host --net bridge x
-v vol:/b -v vol:/b x
--net container:web x
--network name=own,alias=web,ip=10.0.0.2 --network other x
--network-alias web --network own x
--pid host --ipc container:a --uts host x
--mount type=bind,src=/a,dst=/b,ro --mount type=volume,source=v,target=/v --mount type=tmpfs,destination=/t x
-v /data -v vol:/v -v /a:/b:ro -v ./rel:/r x
--restart on-failure:3 x
--restart unless-stopped --init=false --privileged=true --read-only -t=0 x
--no-healthcheck --oom-kill-disable x
--platform linux/arm64 x
--gpus all --ulimit nofile=10 --sysctl net.core.somaxconn=1 --tmpfs /t --shm-size 1g --stop-signal INT --stop-timeout 3 x
--add-host a:1.2.3.4 --dns 1.1.1.1 --dns-search x --dns-option y --cap-add ALL --cap-drop X --device /dev/null x
--log-driver json-file --log-opt max-size=1m --health-cmd true --health-interval 3s --entrypoint sh -u 1 -w /w x a -b
--annotation a=b --blkio-weight 100 --cgroup-parent c --cgroupns host --group-add 1 --userns host --runtime runc x
--use-api-socket=false --disable-content-trust --isolation default --mac-address 92:d0:c6:0a:29:33 x
-- x -e A=b
-dit=false x
-p 0:80 x
-c -1 x
-p 0 x
-p 80:80:80:80 x
-p 9-8 x
-p 1-2:1-3 x
-p 80/xyz x
-p a:1:2 x
--cpus many x
--cpus 1.0000000001 x
-m lots x
-e =x x
-l =v x
--link a:b:c x
--restart a:b x
--tty=maybe x
-z x
--bogus x
--env
--name web
--network alias=web x
--network own --net host x
--mount type=bind,src=/a x
--mount type=volume,src=/a,dst= x
""".strip().splitlines()  # fmt: skip


def files(text: str, folder: Path) -> list[str]:
    (folder / "env").write_text("\ufeff# no\nA=1\n\n  B=x y \nHERE\nNOT_HERE\nconstraint:disk==ssd\nC=\r\n")
    (folder / "labels").write_text("# no\nfrom=file\na=file\nalone\n")
    return text.replace("ENV", str(folder / "env")).replace("LABELS", str(folder / "labels")).split()


@pytest.mark.parametrize("line", LINES)
def test_it_is_read_as_docker_reads_it(
    line: str, docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", "1")
    monkeypatch.delenv("NOT_HERE", raising=False)
    check(docker, files(line, tmp_path))


@pytest.mark.parametrize("line", LINES[:-26])
def test_what_is_right_is_read(line: str, docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That both refuse would hold for two parsers that refuse everything."""
    monkeypatch.setenv("HERE", "1")
    assert check(docker, files(line, tmp_path))


def test_each_flag_is_known_with_its_arity() -> None:
    text = subprocess.run(["docker", "run", "--help"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^  (?:-(\w), |    )--([\w-]+)(?: ([a-z0-9-]+)\b)?(?:   |$)", text, re.MULTILINE)
    assert len(found) > 95
    for short, name, kind in found:
        if name == "help":
            continue
        assert (name in SWITCHES) is (not kind), name
        assert (name in UNREAD) + (name in _VALUES) + (name in SWITCHES) == 1, name
        if short:
            assert SHORT[short] == name


_PARTS = [
    "-e A=b", "-e constraint:a==b", "-e spread:z", "-l k=v", "-p 80", "-p 80:80", "-p 80:80/udp", "-p 1.2.3.4:80:81", "-p 80-81:80-81",
    "-P", "-m 1g", "--cpus 0.25", "-c 3", "--link a", "--link a:b", "--network own", "--network host", "--net bridge", "--network none",
    "--volumes-from a", "-v /a", "-v vol:/b", "-v a:/b", "-v a:/b:/c", "--expose 80", "--expose 7-8/udp", "-d", "-it", "--rm", "--name n", "-h host", "--gpus all",
    "--pid host", "--restart always", "--label-file /nonexistent", "-u 1", "--mount type=tmpfs,dst=/t", "-p 80:90", "--net own2",
]  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.sampled_from(_PARTS), max_size=8))
def test_flags_together_are_read_as_docker_reads_them(docker: Docker, parts: list[str]) -> None:
    check(docker, [*" ".join(parts).split(), "x"])
