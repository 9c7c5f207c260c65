"""Engines that only answer what a manager reads, from a template: a thousand of them fit into one process.

Their containers are as a Docker Engine inspects them: 15 entries of environment, 10 labels, two ports of which one is published, one or two
networks, a directory of the host and a volume, a health check with its log. They belong to 300 services made of 25 images: ids, name, one entry
of environment, two labels, the host's port, addresses, volume and times are a container's own, all else it has in common with those of its
service or image, as in a real cluster.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from contrib.bench.canned_server import Serving, event

__all__ = ["Canned", "engines"]

SERVICES = 300
IMAGES = 25
_STARTED = "2026-01-02T03:{:02}:{:02}.123456789Z"


def digest(*parts: object) -> str:
    """64 hexadecimal digits of their own for these parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _json(value: object) -> bytes:
    """Without blanks, as engines write it."""
    return json.dumps(value, separators=(",", ":")).encode()


def _months() -> int:
    """Since the containers were started: a manager inspects each whose listing tells of a younger one."""
    return max(2, (datetime.now(UTC) - datetime(2026, 1, 2, tzinfo=UTC)).days // 30)


class Canned:
    """One engine with so many containers. `answer` has the body for a path, None for one that it does not know."""

    def __init__(self, number: int, containers: int) -> None:
        self.name = f"node{number}"
        self.number = number
        self.ids = [digest("container", number, each) for each in range(containers)]
        self.listeners: set[asyncio.Transport] = set()
        """Who reads its events."""
        self._inspected = {
            id_: self._inspect(each) for each, id_ in enumerate(self.ids)
        }  # now, not while all are asked for

    def answer(self, path: str) -> bytes | None:
        """The body for a path without its version and query."""
        if path.startswith("/containers/") and path.endswith("/json") and path != "/containers/json":
            return self._inspected.get(path.split("/")[2])
        plain: dict[str, Callable[[], Any]] = {
            "/info": self._info,
            "/containers/json": lambda: [self._row(each) for each in range(len(self.ids))],
            "/images/json": lambda: [image(each) for each in range(IMAGES)],
            "/networks": lambda: [self._network(name) for name in ("bridge", "host", "none", "shop_default", "edge")],
            "/volumes": lambda: {"Volumes": [self._volume(each) for each in range(len(self.ids))], "Warnings": None},
        }
        return _json(plain[path]()) if path in plain else None

    def create(self, body: dict[str, Any], name: str) -> str:
        """Make a container, like its others but for what is asked for, and return its id. No list shows it."""
        id_ = secrets.token_hex(32)
        shown = inspection(self, 0, self._service(0), name, id_)
        shown["Config"] |= {"Image": body["Image"], "Labels": body.get("Labels") or {}, "Env": body.get("Env") or []}
        shown["HostConfig"] |= body.get("HostConfig") or {}
        shown["State"] |= {"Status": "created", "Running": False}
        self._inspected[id_] = _json(shown)
        return id_

    def tell(self, action: str, id_: str) -> None:
        """Tell all who read events."""
        line = _json(event(action, id_, time.time_ns(), id_[:12])) + b"\n"
        for listener in self.listeners:
            listener.write(b"%x\r\n%s\r\n" % (len(line), line))

    def _info(self) -> dict[str, Any]:
        return {
            "ID": digest("engine", self.number)[:40],
            "Name": self.name,
            "NCPU": 64,
            "MemTotal": 2**38,
            "Driver": "overlay2",
            "KernelVersion": "6.1.0-30-amd64",
            "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
            "OSType": "linux",
            "Architecture": "x86_64",
            "ServerVersion": "26.1.5",
            "Labels": [f"zone=z{self.number % 7}", f"disk={'ssd' if self.number % 2 else 'hdd'}"],
        }

    def _row(self, each: int) -> dict[str, Any]:
        return {
            "Id": self.ids[each],
            "Names": [f"/{self._named(each)}"],
            "Image": f"registry.example.com/shop/service{self._service(each) % IMAGES}:2.4.{self._service(each) % 9}",
            "State": "running",
            "Status": f"Up {_months()} months (healthy)",
        }

    def _named(self, each: int) -> str:
        return f"shop-service{self._service(each)}-{self.number}-{each}"

    def _service(self, each: int) -> int:
        return (7 * self.number + each) % SERVICES

    def _inspect(self, each: int) -> bytes:
        return _json(inspection(self, each, self._service(each), self._named(each), self.ids[each]))

    def _network(self, name: str) -> dict[str, Any]:
        return {
            "Name": name,
            "Id": digest("network", self.number, name),
            "Created": "2026-01-01T00:00:00Z",
            "Scope": "local",
            "Driver": name if name in ("host", "none") else "bridge",
            "EnableIPv6": False,
            "IPAM": {"Driver": "default", "Options": None, "Config": [{"Subnet": "172.18.0.0/16"}]},
            "Containers": {},
            "Options": {},
            "Labels": {"com.docker.compose.project": "shop"} if name == "shop_default" else {},
        }

    def _volume(self, each: int) -> dict[str, Any]:
        name = digest("volume", self.number, each)
        return {
            "CreatedAt": "2026-01-02T03:04:05Z",
            "Driver": "local",
            "Labels": {"com.docker.volume.anonymous": ""},
            "Mountpoint": f"/var/lib/docker/volumes/{name}/_data",
            "Name": name,
            "Options": None,
            "Scope": "local",
        }


def image(number: int) -> dict[str, Any]:
    """One row of a list of images; equal on each engine, as images come from one registry."""
    repository = f"registry.example.com/shop/service{number}"
    return {
        "Id": f"sha256:{digest('image', number)}",
        "ParentId": "",
        "RepoTags": [f"{repository}:2.4.{each}" for each in range(9) if each == number % 9],
        "RepoDigests": [f"{repository}@sha256:{digest('manifest', number)}"],
        "Created": 1760000000 + number,
        "Size": 187654321 + number,
        "Labels": {"maintainer": "Shop <shop@example.com>", "org.opencontainers.image.title": f"service{number}"},
    }


def inspection(engine: Canned, each: int, service: int, name: str, id_: str) -> dict[str, Any]:
    """`GET /containers/{id}/json`."""
    number = engine.number
    volume = digest("volume", number, each)
    log = [
        {"Start": _STARTED.format(each % 60, second), "End": _STARTED.format(each % 60, second + 1), "ExitCode": 0, "Output": "HTTP 200 OK\n" * 8}
        for second in range(5)
    ]  # fmt: skip
    port = str(32768 + (31 * number + 7 * each) % 5000)
    own = {
        "80/tcp": [
            {"HostIp": "0.0.0.0", "HostPort": port},
            {"HostIp": "::", "HostPort": port},
        ]
    }
    return {
        "Id": id_,
        "Created": _STARTED.format(each % 60, number % 60),
        "Path": "/docker-entrypoint.sh",
        "Args": ["server", "--listen", "0.0.0.0:80", "--workers", "4"],
        "State": {
            "Status": "running", "Running": True, "Paused": False, "Restarting": False, "OOMKilled": False, "Dead": False, "Pid": 4000 + each,
            "ExitCode": 0, "Error": "", "StartedAt": _STARTED.format(each % 60, number % 60), "FinishedAt": "0001-01-01T00:00:00Z",
            "Health": {"Status": "healthy", "FailingStreak": 0, "Log": log},
        },
        "Image": f"sha256:{digest('image', service % IMAGES)}",
        "ResolvConfPath": f"/var/lib/docker/containers/{id_}/resolv.conf",
        "HostnamePath": f"/var/lib/docker/containers/{id_}/hostname",
        "LogPath": f"/var/lib/docker/containers/{id_}/{id_}-json.log",
        "Name": f"/{name}",
        "RestartCount": 0,
        "Driver": "overlay2",
        "Platform": "linux",
        "HostConfig": host_config(service),
        "GraphDriver": {"Name": "overlay2", "Data": {key: f"/var/lib/docker/overlay2/{volume}/{key}" for key in ("LowerDir", "MergedDir", "UpperDir", "WorkDir")}},
        "Mounts": [
            {"Type": "bind", "Source": f"/srv/shop/service{service}", "Destination": "/etc/shop", "Mode": "ro", "RW": False, "Propagation": "rprivate"},
            {"Type": "volume", "Name": volume, "Source": f"/var/lib/docker/volumes/{volume}/_data", "Destination": "/var/lib/shop", "Driver": "local",
             "Mode": "", "RW": True, "Propagation": ""},
        ],
        "Config": config(engine, each, service, id_),
        "NetworkSettings": {
            "Bridge": "", "SandboxID": digest("sandbox", number, each), "Ports": {**own, "9100/tcp": None},
            "Networks": {name: end(number, each, at, name) for at, name in enumerate(("shop_default", "edge")[: 1 + each % 2])},
        },
    }  # fmt: skip


def host_config(service: int) -> dict[str, Any]:
    """What was asked of the engine."""
    return {
        "Binds": [f"/srv/shop/service{service}:/etc/shop:ro"],
        "NetworkMode": "shop_default",
        "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": ""}]},
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
        "AutoRemove": False,
        "Memory": (1 + service % 16) * 2**25,
        "NanoCpus": 0,
        "CpuShares": 1,
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}},
        "MaskedPaths": ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"],
        "ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    }  # fmt: skip


def config(engine: Canned, each: int, service: int, id_: str) -> dict[str, Any]:
    """Of the image, of the service and of the container itself."""
    made_from = f"registry.example.com/shop/service{service % IMAGES}:2.4.{service % 9}"
    env = [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG=C.UTF-8",
        f"SERVICE_VERSION=2.4.{service % 9}",
        "PYTHONUNBUFFERED=1",
        "TZ=Etc/UTC",
        f"VIRTUAL_HOST=service{service}.shop.example.com",
        "VIRTUAL_PORT=80",
        f"DATABASE_URL=postgres://service{service}:pw{digest(service)[:24]}@db.shop.example.com:5432/service{service}",
        "REDIS_URL=redis://cache.shop.example.com:6379/0",
        f"QUEUE=service{service}.work",
        "LOG_LEVEL=info",
        "LOG_FORMAT=json",
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.shop.example.com:4317",
        f"OTEL_SERVICE_NAME=service{service}",
        f"INSTANCE={engine.name}-{each}",
    ]
    labels = {
        "maintainer": "Shop <shop@example.com>",
        "org.opencontainers.image.title": f"service{service % IMAGES}",
        "org.opencontainers.image.version": f"2.4.{service % 9}",
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": f"service{service}",
        "com.docker.compose.container-number": str(1 + engine.number * len(engine.ids) // SERVICES),
        "com.docker.compose.config-hash": digest("service", service),
        "com.docker.compose.oneoff": "False",
        "com.docker.swarm.constraints": '["disk==ssd"]',
        "com.docker.swarm.id": digest("swarm", id_),
    }
    check = {"Test": ["CMD-SHELL", "curl -fsS http://localhost/health"], "Interval": 30 * 10**9, "Retries": 3}
    return {
        "Hostname": id_[:12],
        "Env": env,
        "Cmd": ["server", "--listen", "0.0.0.0:80", "--workers", "4"],
        "Healthcheck": check,
        "Image": made_from,
        "WorkingDir": "/srv",
        "Entrypoint": ["/docker-entrypoint.sh"],
        "ExposedPorts": {"80/tcp": {}, "9100/tcp": {}},
        "Labels": labels,
    }


def end(number: int, each: int, at: int, name: str) -> dict[str, Any]:
    """The container's end of a network."""
    return {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": [f"service{each}"],
        "NetworkID": digest("network", number, name),
        "EndpointID": digest("endpoint", number, each, at),
        "Gateway": f"172.{18 + at}.0.1",
        "IPAddress": f"172.{18 + at}.0.{2 + each}",
        "IPPrefixLen": 16,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": f"02:42:ac:{18 + at:02x}:00:{2 + each:02x}",
        "DriverOpts": None,
    }


def _serve(pipe: Connection, nodes: int, containers: int) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        ports = []
        for number in range(nodes):
            engine = Canned(number, containers)
            server = await loop.create_server(lambda engine=engine: Serving(engine), "127.0.0.1", 0)  # type: ignore[misc]
            ports.append(server.sockets[0].getsockname()[1])
        pipe.send([f"tcp://127.0.0.1:{port}" for port in ports])
        await asyncio.to_thread(pipe.poll, None)

    asyncio.run(serve())


@contextmanager
def engines(nodes: int, containers: int) -> Iterator[list[str]]:
    """The addresses of so many engines in another process."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, nodes, containers))
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.join(10)
        process.kill()
        process.join()
