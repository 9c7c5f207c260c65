"""Arguments of `docker run`, read as docker reads them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.cli.docker_run import parse_docker_run
from skep.errors import RequestError


def body(arguments: str) -> dict[str, Any]:
    return parse_docker_run(arguments.split()).body


def test_the_article(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "docker run -d --name redis --env constraint:public!=yes --env constraint:model==high-memory redis"
    run = parse_docker_run(text.split())
    assert run.name == "redis"
    assert run.body["Image"] == "redis"
    assert run.body["Env"] == ["constraint:public!=yes", "constraint:model==high-memory"]
    assert "Cmd" not in run.body


def test_what_follows_the_image_is_the_command() -> None:
    assert body("-it busybox sh -c -e x")["Cmd"] == ["sh", "-c", "-e", "x"]
    assert body("-- busybox -d")["Cmd"] == ["-d"]


@pytest.mark.parametrize(
    "text", ["-e A=b x", "-eA=b x", "-e=A=b x", "--env A=b x", "--env=A=b x", "-dite A=b x", "-diteA=b x"]
)
def test_all_ways_to_write_a_flag(text: str) -> None:
    assert body(text)["Env"] == ["A=b"]


def test_switches_may_have_a_value() -> None:
    assert body("--tty=false -i=true x")["Tty"] is False
    assert body("--tty=false -i=true x")["OpenStdin"] is True
    with pytest.raises(RequestError, match="true or false"):
        body("--tty=maybe x")


def test_a_variable_without_value_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "1")
    monkeypatch.delenv("NOT_HERE", raising=False)
    assert body("-e HERE -e NOT_HERE x")["Env"] == ["HERE=1", "NOT_HERE"]


def test_a_file_of_variables(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# no\nA=1\n\nB=x y\n")
    assert parse_docker_run(["--env-file", str(file), "x"]).body["Env"] == ["A=1", "B=x y"]
    with pytest.raises(RequestError, match="cannot read"):
        body("--env-file /nowhere/at/all x")


@pytest.mark.parametrize(
    ("publish", "bindings"),
    [
        ("80", {"80/tcp": [{"HostIp": "", "HostPort": ""}]}),
        ("8080:80", {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}),
        ("127.0.0.1:8080:80/udp", {"80/udp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}),
        ("127.0.0.1::80", {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}),
        ("[::1]:8080:80", {"80/tcp": [{"HostIp": "::1", "HostPort": "8080"}]}),
        ("8000-8001:80-81", {p: [{"HostIp": "", "HostPort": h}] for p, h in (("80/tcp", "8000"), ("81/tcp", "8001"))}),
        ("8000-8005:80", {"80/tcp": [{"HostIp": "", "HostPort": "8000-8005"}]}),
    ],
)
def test_published_ports(publish: str, bindings: dict[str, Any]) -> None:
    made = body(f"-p {publish} x")
    assert made["HostConfig"]["PortBindings"] == bindings
    assert set(made["ExposedPorts"]) == set(bindings)


@pytest.mark.parametrize("publish", ["x", "65536", "9-8", "80/xyz", "1.2.3:1:1", "1-2:1-3", "a:1:2", "::", "1:2:3:4"])
def test_bad_ports_are_named(publish: str) -> None:
    with pytest.raises(RequestError, match="-p"):
        body(f"-p {publish} x")


def test_resources() -> None:
    host = body("-m 512m -c 2 --cpus 1.5 x")["HostConfig"]
    assert (host["Memory"], host["CpuShares"], host["NanoCpus"]) == (512 * 2**20, 2, 1_500_000_000)
    assert [body(f"-m {text} x")["HostConfig"]["Memory"] for text in ("64", "1k", "1.5g", "2GiB", "3mb")] == [
        *(64, 1024, 1.5 * 2**30, 2 * 2**30, 3 * 2**20)
    ]


@pytest.mark.parametrize(
    "text", ["-m lots x", "-c 1.5 x", "--cpus many x", "--cpus nan x", "--restart a:b x", "-l =v x"]
)
def test_bad_values_are_named(text: str) -> None:
    with pytest.raises(RequestError, match=text.split()[0]):
        body(text)


def test_what_ties_it_to_other_containers() -> None:
    host = body("--link db:database --link web --volumes-from data:ro --net container:web x")["HostConfig"]
    assert host["Links"] == ["db:database", "web"]
    assert host["VolumesFrom"] == ["data:ro"]
    assert host["NetworkMode"] == "container:web"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--gpu all x", "--gpu; did you mean --gpus"),
        ("-dz x", "-z"),
        ("-d", "no image"),
        ("", "no image"),
        ("x -e", ""),
        ("-e", "missing"),
    ],
)
def test_what_is_not_understood_is_said(text: str, words: str) -> None:
    if not words:
        assert body(text)["Cmd"] == ["-e"]
        return
    with pytest.raises(RequestError, match=words):
        body(text)


@given(st.lists(st.text(max_size=12), max_size=8))
def test_whatever_the_arguments_it_reads_them_or_says_no(arguments: list[str]) -> None:
    with contextlib.suppress(RequestError):
        assert parse_docker_run(arguments).body["Image"]
