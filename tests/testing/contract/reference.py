"""A real Docker Engine to hold the embedded one against, in a network namespace of its own."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

NEEDED = ("dockerd", "nsenter", "unshare", "ip", "busybox")


def missing() -> str:
    """Why a real engine cannot be started here; empty when it can."""
    if os.geteuid() != 0:
        return "it takes root to start a Docker Engine"
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


@contextlib.contextmanager
def reference_engine() -> Iterator[str]:
    """Start dockerd with a busybox image; yields its address, and takes it down again."""
    folder = Path(tempfile.mkdtemp(prefix="skep-contract-"))
    name = folder.name[-12:].replace("_", "x")
    (folder / "etc").mkdir()
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    options = f"--data-root {folder}/data --exec-root {folder}/exec --pidfile {folder}/pid"
    options += f" -H unix://{folder}/sock --label tier=contract"
    script = f"hostname {name}; mount --bind {folder}/etc /etc/docker; exec dockerd {options}"
    command = ["nsenter", f"--net=/run/netns/{name}", "unshare", "--uts", "--mount", "sh", "-c", script]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_for(folder / "sock", daemon, folder / "log")
            _import_busybox(f"unix://{folder}/sock")
            yield f"unix://{folder}/sock"
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
            subprocess.run(["ip", "netns", "del", name], check=False)
            subprocess.run(
                f"grep -o '{folder}[^ ]*' /proc/mounts | xargs -r umount -l", shell=True, check=False
            )
            shutil.rmtree(folder, ignore_errors=True)


def _wait_for(path: Path, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while daemon.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(path))
            return
        time.sleep(0.05)
    raise RuntimeError(f"dockerd did not come up:\n{log.read_text()[-2000:]}")


def _import_busybox(address: str) -> None:
    applets = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(shutil.which("busybox") or "", "bin/busybox")
        for folder in ("etc", "tmp", "root"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for applet in applets:
            if applet != "busybox":
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(entry)
    command = ["docker", "-H", address, "import", "-c", 'CMD ["sh"]', "-", "busybox:latest"]
    subprocess.run(command, input=buffer.getvalue(), check=True, stdout=subprocess.DEVNULL)
