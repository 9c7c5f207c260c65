"""What the lab needs of the machine: root, Linux, and some of Debian's packages."""

import os
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


def missing(programs: dict[str, str] | None = None) -> list[str]:
    """The Debian packages that are missing, for engines and all images or the `programs` given."""
    wanted = {**ENGINES, **IMAGES} if programs is None else programs
    packages = {package for program, package in wanted.items() if not _found(program)}
    if not shutil.which("docker", path=_PATH):
        # bookworm's docker.io holds the command; later releases have it apart.
        packages.add("docker-cli" if "dockerd" not in wanted or _found("dockerd") else "docker.io")
    return sorted(packages)


def ensure(packages: Collection[str] | None = None) -> None:
    """Install what is missing by apt, saying so; raises LabError when that cannot be done.

    Services that the packages would start are left alone: Debian's policy-rc.d is asked to start none.
    """
    wanted = missing() if packages is None else sorted(packages)
    if not wanted:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(
            f"these Debian packages are missing: {' '.join(wanted)}; install them as root by apt-get"
        )
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
