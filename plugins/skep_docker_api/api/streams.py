"""What flows for as long as it likes: logs, statistics, files, and attached terminals."""

from __future__ import annotations

from skep_docker_api.container_calls import passing, tunnelling
from skep_docker_api.routing import Handler

__all__ = ["ROUTES"]

_REF = "/containers/{ref:.+}"
ROUTES: list[tuple[str, str, Handler]] = [
    *(("GET", f"{_REF}/{action}", passing(action)) for action in ("logs", "stats", "export", "archive")),
    *((method, f"{_REF}/archive", passing("archive")) for method in ("HEAD", "PUT")),
    ("POST", f"{_REF}/attach", tunnelling("attach")),
    ("GET", f"{_REF}/attach/ws", tunnelling("attach/ws")),
]
