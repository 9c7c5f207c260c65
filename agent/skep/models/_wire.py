"""The Engine API's JSON, typed: only the fields that skep reads, each checked while it is parsed.

Source: the Engine API reference, versions 1.24 to 1.5x. Engines leave out fields, send `null` for empty lists and maps, and add new
fields with each version; so every field has a default, lists and maps may be null, and unknown fields are passed over.
A value of a wrong type is an error that names the place (``$.Config.Image``).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

Int = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A number of a Go program: a larger one would break every Docker client that lists it."""

Labels = dict[str, str] | None


class Wire(Struct, rename="pascal"):
    """Base of all: the Engine API spells its keys in PascalCase."""


class State(Wire):
    """`State` of an inspected container."""

    status: str = ""
    running: bool = False
    paused: bool = False
    restarting: bool = False
    dead: bool = False
    exit_code: Int = 0
    started_at: str = ""
    finished_at: str = ""
    health: Health | None = None


class Health(Wire):
    """`State.Health`; engines leave it out for containers without a health check."""

    status: str = ""


class Config(Wire):
    """`Config` of an inspected container; also the top level of a create request."""

    image: str = ""
    env: list[str] | None = None
    labels: Labels = None
    exposed_ports: dict[str, object] | None = None
    hostname: str = ""
    stop_signal: str = ""


class Binding(Wire):
    """One host side of a published port."""

    host_ip: str = ""
    host_port: str = ""


PortMap = dict[str, list[Binding] | None] | None


class HostConfig(Wire):
    """`HostConfig` of an inspected container or of a create request."""

    network_mode: str = ""
    memory: Int = 0
    nano_cpus: Int = 0
    cpu_shares: Int = 0
    port_bindings: PortMap = None
    publish_all_ports: bool = False
    links: list[str] | None = None
    volumes_from: list[str] | None = None
    binds: list[str] | None = None
    auto_remove: bool = False


class Endpoint(Wire):
    """A container's end of one network."""

    network_id: str = field(name="NetworkID", default="")
    endpoint_id: str = field(name="EndpointID", default="")
    gateway: str = ""
    ip: str = field(name="IPAddress", default="")
    prefix_len: Int = field(name="IPPrefixLen", default=0)
    ipv6: str = field(name="GlobalIPv6Address", default="")
    mac_address: str = ""


class NetworkSettings(Wire):
    """`NetworkSettings` of an inspected container."""

    ports: PortMap = None
    networks: dict[str, Endpoint | None] | None = None


class Mount(Wire):
    """One of `Mounts`."""

    type: str = ""
    name: str = ""
    source: str = ""
    destination: str = ""
    driver: str = ""
    mode: str = ""
    rw: bool = field(name="RW", default=True)
    propagation: str = ""


class ContainerInspect(Wire):
    """`GET /containers/{id}/json`."""

    id: str
    name: str = ""
    created: str = ""
    path: str = ""
    args: list[str] | None = None
    image: str = ""
    restart_count: Int = 0
    state: State = field(default_factory=State)
    config: Config = field(default_factory=Config)
    host_config: HostConfig = field(default_factory=HostConfig)
    network_settings: NetworkSettings = field(default_factory=NetworkSettings)
    mounts: list[Mount] | None = None


class ContainerSummary(Wire):
    """One row of `GET /containers/json`, as far as it tells whether the known state is still true."""

    id: str
    names: list[str] | None = None
    state: str = ""
    status: str = ""


class Info(Wire):
    """`GET /info`."""

    id: str = field(name="ID", default="")
    name: str = ""
    labels: list[str] | None = None
    ncpu: Int = field(name="NCPU", default=0)
    mem_total: Int = 0
    driver: str = ""
    kernel_version: str = ""
    operating_system: str = ""
    os_type: str = field(name="OSType", default="")
    architecture: str = ""
    server_version: str = ""
    system_time: str = ""


class ImageSummary(Wire):
    """One row of `GET /images/json`."""

    id: str
    parent_id: str = ""
    repo_tags: list[str] | None = None
    repo_digests: list[str] | None = None
    created: Int = 0
    size: Int = 0
    labels: Labels = None


class Network(Wire):
    """One row of `GET /networks`."""

    id: str
    name: str = ""
    scope: str = ""
    driver: str = ""
    labels: Labels = None


class Volume(Wire):
    """One row of `GET /volumes`."""

    name: str
    driver: str = ""
    scope: str = ""
    mountpoint: str = ""
    labels: Labels = None


class CreateBody(Config):
    """`POST /containers/create`: a container's configuration with its `HostConfig`."""

    host_config: HostConfig | None = None
    # API 1.5 and older had these at the top; 1.17 still took them there
    memory: Int = 0
    cpu_shares: Int = 0
