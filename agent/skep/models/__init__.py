"""What the cluster consists of: frozen, typed values, parsed from the Engine API's JSON."""

from skep.models.container import CPU_WEIGHT, SWARM_ID, Container, ContainerState, Endpoint, Health, Mount, Port
from skep.models.node import Node, NodeStatus, natural_key, with_overcommit
from skep.models.parse import ContainerRow, parse_containers, parse_images, parse_networks, parse_node, parse_volumes
from skep.models.pool import Pool
from skep.models.resources import Image, Network, Volume, split_reference
from skep.models.times import format_time, parse_time

__all__ = [
    "CPU_WEIGHT",
    "SWARM_ID",
    "Container",
    "ContainerRow",
    "ContainerState",
    "Endpoint",
    "Health",
    "Image",
    "Mount",
    "Network",
    "Node",
    "NodeStatus",
    "Pool",
    "Port",
    "Volume",
    "format_time",
    "natural_key",
    "parse_containers",
    "parse_images",
    "parse_networks",
    "parse_node",
    "parse_time",
    "parse_volumes",
    "split_reference",
    "with_overcommit",
]
