"""The two calls of the Docker Engine API that the lab itself needs, over a unix socket.

Source: Docker Engine API v1.41, "Ping" and "Create an image" (fromSrc=-: the body is a file system as a tar).
"""

import contextlib
import json
import socket
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlencode

from contrib.lab.errors import LabError


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ping(path: Path, seconds: float = 1) -> bool:
    """Whether an engine answers at the socket `path` within `seconds`."""
    connection = _UnixConnection(path, seconds)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def import_image(path: Path, tar: Path, name: str, changes: Sequence[str], seconds: float = 120) -> None:
    """Make the file system in `tar` the image `name`, with Dockerfile instructions such as "EXPOSE 80".

    Raises LabError with the engine's words when it refuses.
    """
    repository, _, tag = name.partition(":")
    query = [
        ("fromSrc", "-"),
        ("repo", repository),
        ("tag", tag or "latest"),
        *(("changes", c) for c in changes),
    ]
    connection = _UnixConnection(path, seconds)
    try:
        with tar.open("rb") as body:
            headers = {"Content-Type": "application/x-tar", "Content-Length": str(tar.stat().st_size)}
            with contextlib.suppress(BrokenPipeError):  # It refused half-way: its answer says why.
                connection.request("POST", f"/images/create?{urlencode(query)}", body, headers)
            answer = connection.getresponse().read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        raise LabError(f"importing {name} at {path}: {error!r}") from error
    finally:
        connection.close()
    last = json.loads(answer.strip().splitlines()[-1])
    if trouble := last.get("error") or last.get("message"):
        raise LabError(f"importing {name} at {path}: {trouble}")
