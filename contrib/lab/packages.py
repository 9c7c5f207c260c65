"""What the lab needs of the machine: root, Linux, and some of Debian's packages."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from contrib.lab.errors import LabError, run

_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"

ENGINES = {
    "dockerd": "docker.io",
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "busybox": "busybox-static",
}
"""Programs that bringing up engines takes, and the Debian packages that hold them."""

IMAGES = {
    "busybox": "busybox-static",
    "redis-server": "redis-server",
    "nginx": "nginx-light",
    "/usr/lib/postgresql/*/bin/initdb": "postgresql",
}
"""Programs that the images are made of, and their Debian packages."""

PEERS = {
    "docker-compose": "docker-compose",
    "pebble": "pebble",
    "wrk": "wrk",
}
"""What tests and measurements run against skep and nginx: a client of the Docker API, an authority that issues certificates, a load of
requests."""

_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_ENGINE_PACKAGES = ("docker.io", "containerd")
"""Not runc: that of a later release wants a later C library. This system's serves every generation."""
_NGINX_PACKAGES = ("nginx", "libc6", "libcrypt1", "libpcre2-8-0", "libssl3t64", "libzstd1", "zlib1g")
"""With all libraries, so that it runs on a system whose own are older."""


def missing(programs: dict[str, str] | None = None) -> list[str]:
    """The Debian packages that are missing, for engines, all images and all peers, or the `programs` given."""
    wanted = {**ENGINES, **IMAGES, **PEERS} if programs is None else programs
    packages = {package for program, package in wanted.items() if not _found(program)}
    if not shutil.which("docker", path=_PATH):
        # bookworm's docker.io holds the command; later releases have it apart.
        packages.add("docker-cli" if "dockerd" not in wanted or _found("dockerd") else "docker.io")
    return sorted(packages)


def ensure(packages: Collection[str] | None = None) -> None:
    """Install what is missing by apt, saying so; raises LabError when that cannot be done.

    Where there is no systemd, the packages' services are not started.
    """
    wanted = missing() if packages is None else sorted(packages)
    if not wanted:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(f"these Debian packages are missing: {' '.join(wanted)}; install them as root by apt-get")
    print(f"installing Debian packages that the lab needs: {' '.join(wanted)}", file=sys.stderr, flush=True)
    quiet = ("env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
    run(*quiet, "apt-get", "update", "-q", seconds=300)
    run(*quiet, "apt-get", "install", "-q", "-y", "--no-install-recommends", *wanted, seconds=900)


def obstacle() -> str | None:
    """Why no lab can be brought up here, as one line; None when nothing is in the way."""
    if not sys.platform.startswith("linux"):
        return f"real engines need Linux, and this is {sys.platform}"
    if os.geteuid() != 0:
        return "real engines need root, and this is not"
    if lacking := missing(ENGINES):
        return f"real engines need these Debian packages: {' '.join(lacking)}"
    return None


def _found(program: str) -> bool:
    if program.startswith("/"):
        return any(Path("/").glob(program[1:]))
    return shutil.which(program, path=_PATH) is not None


def fetch_engine(release: str, directory: Path) -> None:
    """Unpack the Docker Engine of a Debian release into `directory`; nothing is installed.

    Raises LabError when the release or its packages cannot be had.
    """
    fetch(release, directory, _ENGINE_PACKAGES)
    run(str(directory.absolute() / "usr/sbin/dockerd"), "--version")


def fetch_nginx(release: str, directory: Path) -> Path:
    """Unpack nginx of a Debian release, with the libraries that it was built for, into `directory`: the program to run.

    Raises LabError when the release or its packages cannot be had.
    """
    fetch(release, directory, _NGINX_PACKAGES)
    root = directory.absolute()
    libraries = ":".join(str(root / folder) for folder in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
    loader = next(root.glob("**/ld-linux-x86-64.so.2"), None)
    if loader is None:
        raise LabError(f"nginx of {release} comes without a loader for this machine")
    program = root / "nginx"
    words = shlex.join([str(loader), "--library-path", libraries, str(root / "usr/sbin/nginx")])
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    program.chmod(0o755)
    run(str(program), "-v")
    return program


def fetch(release: str, directory: Path, packages: Collection[str]) -> None:
    """Unpack packages of a Debian release into `directory`; nothing is installed.

    apt works on lists of its own, so that this system never learns of the other release. Raises LabError
    when the release or its packages cannot be had.
    """
    if not re.fullmatch(r"[a-z]+", release):
        raise LabError(f"{release!r} is not the name of a Debian release, such as trixie")
    directory = directory.absolute()
    apt = directory / "apt"
    shutil.rmtree(apt, ignore_errors=True)
    for folder in ("lists/partial", "archives/partial", "sources", "debs"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(f"deb [signed-by={_KEYS}] {_archive()} {release} main\n")
    options = {
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": apt / "sources",
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache": apt,
        "APT::Sandbox::User": "root",
    }
    command = ("apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items()))
    run(*command, "update", seconds=300)
    wanted = " && ".join(shlex.join((*command, "download", package)) for package in packages)
    run("sh", "-c", f"cd {shlex.quote(str(apt / 'debs'))} && {wanted}", seconds=300)
    for package in sorted((apt / "debs").glob("*.deb")):
        run("dpkg", "-x", str(package), str(directory))
    shutil.rmtree(apt)


def _archive() -> str:
    """The URI from which this system takes its own Debian release; raises LabError when it names none."""
    system = Path("/etc/os-release").read_text()
    codename = next(iter(re.findall(r"^VERSION_CODENAME=\"?(\w+)", system, re.MULTILINE)), "")
    sources = ("apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages")
    for line in run(*sources).splitlines():
        release, component, uri = line.split(maxsplit=2)
        if (release, component) == (codename, "main"):
            return uri
    raise LabError(
        f"no source of Debian's {codename or 'release'} main in /etc/apt/sources.list*: where to fetch from?"
    )
