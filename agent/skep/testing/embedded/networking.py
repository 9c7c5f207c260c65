"""Networks of one engine: addresses of containers, published ports."""

from __future__ import annotations

import time
from typing import Any

from .errors import EngineError
from .state import Container, Endpoint, Network, PortMap, State, new_id

EPHEMERAL = 32768
BRIDGE_OPTIONS = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
    "com.docker.network.bridge.name": "docker0",
    "com.docker.network.driver.mtu": "1500",
}


class Networking:
    """Gives out addresses and host ports as the engine's network drivers do."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._taken: dict[tuple[str, str], str] = {}
        self._next_port = EPHEMERAL
        self._next_subnet = 17
        for name, driver in (("bridge", "bridge"), ("host", "host"), ("none", "null")):
            options = BRIDGE_OPTIONS if name == "bridge" else {}
            self.add(Network(new_id(), name, driver, time.time_ns(), options=options))

    def add(self, network: Network) -> None:
        """Make a network known; a bridge without a subnet gets the next free 172.x."""
        if network.driver == "bridge" and not network.subnet:
            network.subnet = f"172.{self._next_subnet}.0.0/16"
            self._next_subnet += 1
        self._state.networks[network.id] = network

    def endpoint(self, name: str, settings: dict[str, Any] | None = None) -> tuple[str, Endpoint]:
        """A container's end of the network `name`, not connected yet, under the network's own name."""
        settings = settings or {}
        end = Endpoint("", aliases=settings.get("Aliases"), links=settings.get("Links"))
        try:
            network = self._state.network("bridge" if name in ("", "default") else name)
        except EngineError:
            return name, end
        end.network_id = network.id
        return network.name, end

    def connect(self, container: Container) -> None:
        """Give a starting container its addresses and ports.

        Raises EngineError: 404 when a network is missing, or the container whose network it shares; 500 when
        a host port is taken.
        """
        mode = container.host.get("NetworkMode", "")
        if mode.startswith("container:"):
            self._state.container(mode.partition(":")[2])
        for name, endpoint in container.networks.items():
            endpoint.network_id = self._state.network(endpoint.network_id or name).id
        ports = self._publish(container)
        for endpoint in container.networks.values():
            self.join(container, endpoint)
        container.ports = ports
        container.changed()

    def join(self, container: Container, endpoint: Endpoint) -> None:
        """Connect one end of a running container."""
        network = self._state.networks[endpoint.network_id]
        endpoint.endpoint_id = new_id()
        if network.subnet:
            host = next(n for n in range(2, 65535) if n not in network.used)
            network.used.add(host)
            first, second = network.subnet.split(".")[:2]
            endpoint.address = f"{first}.{second}.{host >> 8}.{host & 255}"
            endpoint.gateway = f"{first}.{second}.0.1"
            endpoint.prefix = 16
            endpoint.mac = f"02:42:{int(first):02x}:{int(second):02x}:{host >> 8:02x}:{host & 255:02x}"
        self._emit(network, "connect", container)

    def disconnect(self, container: Container) -> None:
        """Take back addresses and ports of a container that ended."""
        self._taken = {key: owner for key, owner in self._taken.items() if owner != container.id}
        container.ports = None
        for endpoint in container.networks.values():
            self.leave(container, endpoint)
        container.changed()

    def leave(self, container: Container, endpoint: Endpoint) -> None:
        """Disconnect one end."""
        network = self._state.networks.get(endpoint.network_id)
        if network is None or not endpoint.endpoint_id:
            return
        if endpoint.address:
            third, fourth = endpoint.address.split(".")[2:]
            network.used.discard(int(third) * 256 + int(fourth))
        endpoint.endpoint_id = endpoint.address = endpoint.gateway = endpoint.mac = ""
        endpoint.prefix = 0
        self._emit(network, "disconnect", container)

    def _emit(self, network: Network, action: str, container: Container) -> None:
        attributes = {"container": container.id, "name": network.name, "type": network.driver}
        self._state.events.emit("network", action, network.id, attributes)

    def _publish(self, container: Container) -> PortMap:
        if not any(self._state.networks[e.network_id].subnet for e in container.networks.values()):
            return {}
        exposed = container.config.get("ExposedPorts") or {}
        bindings = container.host.get("PortBindings") or {}
        ports: PortMap = {}
        claimed: dict[tuple[str, str], str] = {}
        for port in exposed:
            wanted = bindings.get(port) or []
            if not wanted and container.host.get("PublishAllPorts"):
                wanted = [{}]
            lists = [self._bind(container, port, binding or {}, claimed) for binding in wanted]
            ports[port] = [row for rows in lists for row in rows] or None
        self._taken |= claimed
        return ports

    def _bind(
        self, container: Container, port: str, binding: dict[str, str], claimed: dict[tuple[str, str], str]
    ) -> list[dict[str, str]]:
        """One published port. Unlike on a real engine, two addresses of the host cannot have the same one."""
        address, number = binding.get("HostIp", ""), str(binding.get("HostPort", ""))
        protocol = port.partition("/")[2] or "tcp"
        first, _, last = number.partition("-")
        choices = [str(n) for n in range(int(first), int(last) + 1)] if last else [number]
        if not number or number == "0":
            choices = [self._ephemeral(protocol)]
        free = [c for c in choices if (protocol, c) not in self._taken and (protocol, c) not in claimed]
        if not free:
            endpoint = f"{container.name} ({new_id()})"
            raise EngineError(
                500,
                f"driver failed programming external connectivity on endpoint {endpoint}: "
                f"Bind for {address or '0.0.0.0'}:{choices[-1]} failed: port is already allocated",
            )
        claimed[protocol, free[0]] = container.id
        addresses = [address] if address else ["0.0.0.0", "::"]
        return [{"HostIp": a, "HostPort": free[0]} for a in addresses]

    def _ephemeral(self, protocol: str) -> str:
        while (protocol, str(self._next_port)) in self._taken:
            self._next_port += 1
        self._next_port += 1
        return str(self._next_port - 1)
