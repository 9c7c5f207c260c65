"""The lab's wires: a switch on a machine of its own, cables from it to the machines and to this host."""

import ipaddress
import json
import os

from contrib.lab.errors import LabError, run
from contrib.lab.machines import Machine

Subnet = ipaddress.IPv4Network

# Docker takes the networks of containers from 172.16.0.0/12 and 192.168.0.0/16; these lie elsewhere.
_SUBNETS = [Subnet(f"10.{n}.0.0/16") for n in range(200, 250)]


class Plan:
    """Who has which address in a lab's /16: x.y.0.1 this host, x.y.0.11 and up the machines."""

    MOST = 50
    """How many machines fit."""

    def __init__(self, subnet: Subnet) -> None:
        self.subnet = subnet
        self.device = f"skep{subnet.network_address.packed[1]}"
        """This host's end of its cable. Having that name is owning the subnet."""
        self.gateway = str(subnet[1])

    def address(self, number: int) -> str:
        """The address of machine `number` (from 1)."""
        return str(self.subnet[10 + number])

    def bridge(self, number: int) -> str:
        """Address and size of the machine's docker0: no two machines' containers share an address."""
        return f"{self.subnet[256 * (10 + number) + 1]}/24"

    def pool(self, number: int) -> str:
        """Where the machine's other Docker networks come from: 16 of 30 addresses each."""
        return f"base={self.subnet[256 * (128 + 2 * (number - 1))]}/23,size=27"


def connect(switch: Machine, alias: str) -> Plan:
    """Set up the switch and this host's cable to it, in $SKEP_LAB_SUBNET (a /16) or the first free subnet.

    The cable's end is marked with `alias`. Raises LabError when no subnet is free.
    """
    for subnet in _candidates():
        plan = Plan(subnet)
        if not _laid(plan.device, switch):
            continue
        run("ip", "link", "set", plan.device, "alias", alias, "up")
        run("ip", "address", "add", f"{plan.gateway}/24", "dev", plan.device)
        switch.ip(
            "link add bridge type bridge",
            "link set uplink master bridge",
            "link set uplink up",
            "link set bridge up",
        )
        return plan
    raise LabError("no subnet is free from 10.200.0.0/16 to 10.249.0.0/16; name one in SKEP_LAB_SUBNET")


def uplink(switch: Machine) -> int | None:
    """The number of this host's end of the cable to the switch; None when there is none, or no switch."""
    try:
        found = json.loads(run("nsenter", f"--target={switch.pid}", "--net", "ip", "-j", "link", "show", "uplink"))
    except LabError:
        return None
    return int(found[0]["link_index"])


def gone(alias: str, number: int | None) -> bool:
    """Whether this host's cable, known by its alias or number, is no more: the kernel removes it some time after the switch.

    A lab that was given up half-way has no alias yet, and one whose switch died has no number.
    """
    links = json.loads(run("ip", "-j", "link"))
    return all(device.get("ifalias") != alias and device["ifindex"] != number for device in links)


def _laid(device: str, switch: Machine) -> bool:
    """Lay the cable to the switch; False when its name, and so the subnet, is another lab's."""
    try:
        run("ip", "link", "add", device, "type", "veth", "peer", "name", "uplink", "netns", str(switch.pid))
    except LabError as error:
        if "File exists" in str(error):
            return False
        raise
    return True


def plug(switch: Machine, machine: Machine, plan: Plan, number: int) -> None:
    """Lay the cable from the switch to a machine, and give the machine its address."""
    switch.ip(
        f"link add port{number} type veth peer name eth0 netns {machine.pid}",
        f"link set port{number} master bridge",
        f"link set port{number} up",
    )
    machine.ip("link set lo up", f"address add {plan.address(number)}/24 dev eth0", "link set eth0 up")


def cut(switch: Machine, number: int) -> None:
    """Pull a machine's cable out of the switch."""
    switch.ip(f"link set port{number} down")


def heal(switch: Machine, number: int) -> None:
    """Put a machine's cable back."""
    switch.ip(f"link set port{number} up")


def is_cut(switch: Machine, number: int) -> bool:
    """Whether a machine's cable is out."""
    flags = run("nsenter", f"--target={switch.pid}", "--net", "ip", "-j", "link", "show", f"port{number}")
    return "UP" not in json.loads(flags)[0]["flags"]


def _candidates() -> list[Subnet]:
    if wish := os.environ.get("SKEP_LAB_SUBNET"):
        try:
            subnet = Subnet(wish)
        except ValueError as error:
            raise LabError(f"SKEP_LAB_SUBNET: {error}; it must be like 10.200.0.0/16") from None
        if subnet.prefixlen != 16:
            raise LabError(f"SKEP_LAB_SUBNET: {wish} must be a /16, like 10.200.0.0/16")
        return [subnet]
    routes = [route["dst"] for route in json.loads(run("ip", "-j", "-4", "route"))]
    taken = [Subnet(route) for route in routes if route[0].isdigit()]
    return [subnet for subnet in _SUBNETS if not any(subnet.overlaps(other) for other in taken)]
