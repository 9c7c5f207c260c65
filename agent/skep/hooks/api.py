"""What the hooks about requests to the Docker API are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skep.models import Container, Network, Volume

__all__ = ["ApiAnswered", "ApiRequest", "Client"]


@dataclass(frozen=True, slots=True)
class Client:
    """Who sends a request, as far as that cannot be made up: by a certificate, by the kernel's word, or by an address.

    `name` is the common name of a verified certificate, `uris` its URIs (`spiffe://…`), `serial` its serial number in hexadecimal.
    `uid`, `gid` and `pid` are those of the process behind a unix socket, None for others. `address` is the IP address of a tcp client.
    `listener` is where it came in: `unix:///path`, `tcp://host:port`.
    """

    name: str = ""
    uris: tuple[str, ...] = ()
    serial: str = ""
    uid: int | None = None
    gid: int | None = None
    pid: int | None = None
    address: str = ""
    listener: str = ""

    def __str__(self) -> str:
        """The shortest that names it: name, URI, `uid:1000` or the address."""
        if self.name or self.uris:
            return self.name or self.uris[0]
        return self.address if self.uid is None else f"uid:{self.uid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A request to the Docker API, read so that nothing in it can mean something else to an engine.

    `path` has no version (that is `version`, "" for none) and no percent-encoding; where it names a container, a network or a volume that
    is known, that is `target`, and stands in the path by its id (a volume by `node/name`). `query` has each value of each name.
    `body` is the JSON object that was sent, None where there is none; an upload is not read (`is_upload`). An engine gets
    path, query and body as they are here, encoded anew, and never the bytes that came.

    A plugin may change `query`, `body` and what may be seen. `visible`, where it is set, tells by their labels which containers, networks and volumes the
    client sees in lists and events; `hides_env` blots out the values of environment variables in inspections.
    """

    client: Client
    method: str
    path: str
    version: str = ""
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    is_upload: bool = False
    target: Container | Network | Volume | None = None
    node: str = ""
    """The node of the target."""
    visible: Callable[[Mapping[str, str]], bool] | None = None
    hides_env: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswered:
    """What became of a request: the answer's status (499: the client went away), the seconds that it took, the reason where it failed.

    `request` is as the plugins left it. `created` is the id of a container that it made, `node` where.
    """

    request: ApiRequest
    status: int
    seconds: float = 0.0
    error: str = ""
    created: str = ""
    node: str = ""
