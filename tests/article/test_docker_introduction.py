"""The article "A Not Very Short Introduction to Docker": its commands, typed at a whole swarm instead of at one machine."""

import json
import os
import pty
import re
import select
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.article.swarm import Swarm, eventually

NAP = ("--stop-signal", "KILL", "busybox", "sleep", "600")
"""A container that does nothing for long, and ends at once."""


@pytest.fixture
def cluster(swarm: Swarm) -> Iterator[Swarm]:
    """The swarm, emptied after each test."""
    yield swarm
    if containers := swarm.docker("ps", "-aq").split():
        swarm.docker("rm", "-f", "-v", *containers)
    if images := set(swarm.docker("images", "--format", "{{.Repository}}").split()) - {"busybox", "nginx"}:
        swarm.docker("rmi", "-f", *images)


@pytest.fixture
def web(cluster: Swarm) -> Swarm:
    """The swarm, with the image nginx on one engine."""
    cluster.lab["frontend"].sync.load("nginx")
    eventually(lambda: cluster.docker("images", "-q", "nginx"), 10, "the image nginx is known")
    return cluster


def page(address: str) -> str:
    """The page at http://ADDRESS/, as soon as there is one."""
    found: list[str] = []

    def fetch() -> bool:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
                found.append(answer.read().decode())
        except OSError:
            return False
        return True

    eventually(fetch, 10, f"a page at {address}")
    return found[0]


def typed(swarm: Swarm, text: str, *arguments: str, seconds: float = 20) -> str:
    """Run docker on a terminal, type `text` once it shows something, and return what the terminal shows in the end."""
    ours, theirs = pty.openpty()
    docker = subprocess.Popen(
        ["docker", *arguments],
        env=swarm.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.5)[0]:
                continue
            try:
                shown += os.read(ours, 65536)
            except OSError:  # The other end is closed: docker has ended.
                break
            if text:
                os.write(ours, text.encode())
                text = ""
        docker.wait(max(0.1, deadline - time.monotonic()))
    finally:
        docker.kill()
        docker.wait()
        os.close(ours)
    assert docker.returncode == 0, shown
    return shown.decode()


def test_run_interactively(cluster: Swarm) -> None:
    shown = typed(cluster, "echo $((6 * 7)); tty; exit\n", "run", "-it", "--rm", "busybox")
    assert "\n42\r\n/dev/pts/0\r\n" in shown
    assert cluster.docker("ps", "-aq") == ""


def test_pipe_into_a_container(cluster: Swarm) -> None:
    assert cluster.docker("run", "-i", "--rm", "busybox", "wc", "-c", stdin="x" * 100_000) == "100000"


def test_run_in_the_background_and_attach(cluster: Swarm) -> None:
    script = "read line; echo got $line; exit 3"
    cluster.docker("run", "-d", "-i", "--name", "job", "busybox", "sh", "-c", script)
    attached = cluster.run("docker", "attach", "job", stdin="this\n")
    assert (attached.returncode, cluster.docker("wait", "job")) == (3, "3"), attached
    assert cluster.docker("logs", "job") == "got this"


def test_exit_status_is_the_containers(cluster: Swarm) -> None:
    cluster.docker("run", "--rm", "busybox", "sh", "-c", "exit 42", status=42)
    assert "no-such-program" in cluster.docker("run", "--rm", "busybox", "no-such-program", status=127)


def test_environment(cluster: Swarm, tmp_path: Path) -> None:
    (tmp_path / "mysql.env").write_text("# a comment\nMYSQL_DATABASE=db\nMYSQL_HOST=some host\n")
    variables = ("--env", "MYSQL_USER=db-user", "-e", "MYSQL_PASSWORD=secret")
    shown = cluster.docker("run", "--rm", *variables, "--env-file", str(tmp_path / "mysql.env"), "busybox", "env")
    assert {"MYSQL_USER=db-user", "MYSQL_PASSWORD=secret", "MYSQL_DATABASE=db", "MYSQL_HOST=some host"} <= set(
        shown.splitlines()
    )


@pytest.mark.parametrize(
    ("flags", "published"),
    [
        (["-p", "80"], r"10\.\d+\.0\.12:\d{5}"),
        (["-p", "8080:80"], r"10\.\d+\.0\.12:8080"),
        (["-P"], r"10\.\d+\.0\.12:\d{5}"),
    ],
)
def test_publish(web: Swarm, flags: list[str], published: str) -> None:
    web.docker("run", "-d", "--name", "web", *flags, "-e", "constraint:public==yes", "nginx")
    port = web.docker("port", "web", "80").splitlines()[0]
    assert re.fullmatch(published, port)
    assert "nginx is running" in page(port)


def test_publish_on_the_hosts_own_interface_only(web: Swarm) -> None:
    web.docker("run", "-d", "--name", "web", "-p", "127.0.0.1:8080:80", "-e", "constraint:public==yes", "nginx")
    assert web.docker("port", "web", "80") == "127.0.0.1:8080"
    address = web.lab["frontend"].address
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://{address}:8080/", timeout=5)
    fetch = ("busybox", "wget", "-q", "-O-", "http://127.0.0.1:8080/")
    eventually(lambda: "nginx is running" in web.lab["frontend"].sync.run(*fetch), 10, "nginx on the loopback device")


def test_link(cluster: Swarm) -> None:
    serve = "mkdir /w; echo from $(hostname) >/w/index.html; exec httpd -f -h /w"
    cluster.docker("run", "-d", "--name", "mydb", "-h", "mydb", "--stop-signal", "KILL", "busybox", "sh", "-c", serve)
    fetch = "until wget -q -O- http://db/; do sleep 0.1; done"
    assert cluster.docker("run", "--rm", "--link", "mydb:db", "busybox", "sh", "-c", fetch) == "from mydb"


def test_limits(cluster: Swarm) -> None:
    cluster.docker("run", "-d", "--name", "app", "-m", "256m", "--cpu-shares", "512", "-u", "www-data", *NAP)
    limits = "{{.HostConfig.Memory}} {{.Config.User}} {{.Node.Name}}"
    memory, user, node = cluster.docker("inspect", "-f", limits, "app").split()
    assert (int(memory), user) == (256 * 2**20, "www-data")
    assert cluster.docker("exec", "app", "id", "-un") == "www-data"
    assert cluster.lab[node].sync.docker("inspect", "-f", "{{.HostConfig.Memory}}", "app") == memory
    rows = cluster.docker("info").splitlines()
    reserved = rows[next(i for i, row in enumerate(rows) if row.strip().startswith(f"{node}: ")) :]
    assert next(row for row in reserved if "Reserved Memory" in row).split(": ")[1].startswith("256 MiB / ")
    assert next(row for row in reserved if "Reserved CPUs" in row).split(": ")[1].startswith("0 / ")
    assert cluster.lab[node].sync.docker("inspect", "-f", "{{.HostConfig.CpuShares}}", "app") == "512"


def test_exec(cluster: Swarm) -> None:
    cluster.docker("run", "-d", "--name", "app", "-e", "COLOUR=green", *NAP)
    assert "COLOUR=green" in cluster.docker("exec", "app", "env").splitlines()
    id_ = cluster.docker("ps", "-q", "--filter", "name=app")
    assert "\nhere is /\r\n" in typed(cluster, "echo here is $PWD; exit\n", "exec", "-it", id_[:8], "sh")
    assert cluster.docker("exec", "-i", "app", "cat", stdin="piped") == "piped"
    cluster.docker("exec", "app", "sh", "-c", "exit 5", status=5)


def test_volumes(cluster: Swarm, tmp_path: Path) -> None:
    cluster.docker("run", "-d", "--name", "mydb", "-v", "/var/data", *NAP)
    cluster.docker("exec", "mydb", "sh", "-c", "echo precious >/var/data/file")
    assert cluster.docker("run", "--rm", "--volumes-from", "mydb", "busybox", "cat", "/var/data/file") == "precious"
    mount = cluster.docker("inspect", "-f", "{{range .Mounts}}{{.Type}} {{.Destination}} {{.Source}}{{end}}", "mydb")
    assert re.fullmatch(r"volume /var/data /\S+/volumes/[0-9a-f]{64}/_data", mount)
    (tmp_path / "note").write_text("from the host")
    bind = ("-v", f"{tmp_path}:/srv/app", "-e", "constraint:node==backend1")
    assert cluster.docker("run", "--rm", *bind, "busybox", "cat", "/srv/app/note") == "from the host"


def test_read_only(cluster: Swarm) -> None:
    refused = cluster.docker("run", "--rm", "--read-only", "busybox", "touch", "/file", status=1)
    assert "Read-only file system" in refused


def test_commit_and_run_the_image(cluster: Swarm) -> None:
    cluster.docker("run", "--name", "tool", "busybox", "sh", "-c", "echo installed >/tool")
    last = cluster.docker("ps", "-l", "-q")
    assert last == cluster.docker("ps", "-aq", "--filter", "name=tool")
    cluster.docker("commit", last, "with-tool")
    assert cluster.docker("run", "--rm", "with-tool", "cat", "/tool") == "installed"
    assert cluster.docker("diff", last) == "A /tool"
    history = cluster.docker("history", "--format", "{{.CreatedBy}}", "with-tool").splitlines()
    assert "echo installed" in history[0]


def test_build_and_run(cluster: Swarm, tmp_path: Path) -> None:
    (tmp_path / "app.sh").write_text("echo hello from $(cat /where)\n")
    (tmp_path / ".dockerignore").write_text("secret\n")
    (tmp_path / "secret").write_text("must not be sent")
    (tmp_path / "Dockerfile").write_text(
        'FROM busybox\nWORKDIR /srv/app\nRUN echo a swarm >/where\nCOPY . /srv/app\nCMD ["sh", "app.sh"]\n'
    )
    cluster.environment["DOCKER_BUILDKIT"] = "0"
    shown = cluster.docker("build", "-t", "myapp", str(tmp_path))
    assert "Successfully tagged myapp:latest" in shown
    assert cluster.docker("run", "--rm", "myapp") == "hello from a swarm"
    assert cluster.docker("run", "--rm", "myapp", "ls", "-A").split() == [".dockerignore", "Dockerfile", "app.sh"]


def test_import_tag_and_remove_an_image(cluster: Swarm, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("only this")
    archive = subprocess.check_output(["tar", "-C", str(tmp_path), "-c", "file"])
    (tmp_path / "archive.tar").write_bytes(archive)
    cluster.docker("import", str(tmp_path / "archive.tar"), "tiny:1")
    assert cluster.docker("images", "-q", "tiny:1")
    cluster.docker("tag", "tiny:1", "tiny:2")
    cluster.docker("rmi", "tiny:1")
    assert set(cluster.docker("images", "--format", "{{.Tag}}", "tiny").split()) == {"2"}
    cluster.docker("rmi", "tiny:2")
    assert cluster.docker("images", "-q", "tiny") == ""


def test_the_life_of_a_container(cluster: Swarm) -> None:
    def state() -> str:
        return cluster.docker("inspect", "-f", "{{.State.Status}}", "life")

    cluster.docker("create", "--name", "life", "--stop-timeout", "1", "busybox", "sleep", "600")
    assert state() == "created"
    cluster.docker("start", "life")
    pid = cluster.docker("inspect", "-f", "{{.State.Pid}}", "life")
    cluster.docker("restart", "life")
    assert pid != cluster.docker("inspect", "-f", "{{.State.Pid}}", "life")
    cluster.docker("pause", "life")
    assert state() == "paused"
    cluster.docker("unpause", "life")
    cluster.docker("kill", "life")
    assert cluster.docker("wait", "life") == "137"
    assert state() == "exited"
    cluster.docker("rename", "life", "after")
    cluster.docker("rm", "after")
    assert "No such" in cluster.docker("inspect", "after", status=1)


def test_logs(cluster: Swarm) -> None:
    cluster.docker(
        "run", "--name", "talk", "busybox", "sh", "-c", "for i in 1 2 3; do echo line $i; done; echo error >&2"
    )
    both = cluster.run("docker", "logs", "talk")
    assert (both.stdout, both.stderr) == ("line 1\nline 2\nline 3\n", "error\n")
    assert cluster.run("docker", "logs", "--tail", "1", "talk").stdout in ("line 3\n", "")
    followed = cluster.run("docker", "logs", "-f", "talk", seconds=10)
    assert followed.stdout == both.stdout


def test_events_are_of_all_machines(cluster: Swarm) -> None:
    since = str(time.time() - 1)
    for node in ("backend1", "backend2"):
        cluster.docker("run", "--rm", "--name", f"on-{node}", "-e", f"constraint:node=={node}", "busybox", "true")
    form = "{{.Action}} {{.Actor.Attributes.name}}"
    shown = cluster.docker("events", "--since", since, "--until", str(time.time() + 1), "--format", form).splitlines()
    for node in ("backend1", "backend2"):
        actions = [line.split()[0] for line in shown if line.endswith(f" on-{node}")]
        assert [action for action in actions if action in ("create", "start", "die", "destroy")] == [
            "create", "start", "die", "destroy",
        ]  # fmt: skip


def test_top_and_stats(cluster: Swarm) -> None:
    cluster.docker("run", "-d", "--name", "busy", *NAP)
    assert "sleep 600" in cluster.docker("top", "busy")
    rows = cluster.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").splitlines()
    assert re.fullmatch(r"(?:\S+/)?busy [\d.]+\w+ / [\d.]+\w+", rows[0])


def test_inspect_with_a_template(cluster: Swarm) -> None:
    id_ = cluster.docker("run", "-d", "--name", "silly_bartik", *NAP)
    address = cluster.docker("inspect", "-f", "{{ .NetworkSettings.IPAddress }}", id_[:12])
    assert re.fullmatch(r"10\.\d+\.\d+\.\d+", address)
    [whole] = json.loads(cluster.docker("inspect", "silly_bartik"))
    assert (whole["Id"], whole["Args"], whole["Config"]["Image"]) == (id_, ["600"], "busybox")


def test_copy_into_and_out_of_a_container(cluster: Swarm, tmp_path: Path) -> None:
    cluster.docker("create", "--name", "box", "busybox", "cat", "/etc/note")
    (tmp_path / "note").write_text("copied")
    cluster.docker("cp", str(tmp_path / "note"), "box:/etc/note")
    assert cluster.docker("start", "-a", "box") == "copied"
    cluster.docker("cp", "box:/etc/note", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "copied"


def test_ps_all_shows_what_has_ended(cluster: Swarm) -> None:
    cluster.docker("run", "--name", "ended", "busybox", "true")
    cluster.docker("run", "-d", "--name", "runs", *NAP)
    assert {name.partition("/")[2] for name in cluster.names()} == {"runs"}
    assert {name.partition("/")[2] for name in cluster.names("--all")} == {"runs", "ended"}
