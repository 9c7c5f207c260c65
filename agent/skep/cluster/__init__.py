"""All nodes' state, and how it is kept true."""

from skep.cluster.cluster import Cluster
from skep.cluster.nodeset import NodeSet
from skep.cluster.state import ClusterState, NodeState

__all__ = ["Cluster", "ClusterState", "NodeSet", "NodeState"]
