"""All nodes' state, and how it is kept true."""

from skep.cluster.cluster import Cluster
from skep.cluster.identities import IdentityError
from skep.cluster.journal import PastNode
from skep.cluster.listeners import EngineEvents
from skep.cluster.nodeset import NodeSet
from skep.cluster.state import ClusterState, NodeState

__all__ = ["Cluster", "ClusterState", "EngineEvents", "IdentityError", "NodeSet", "NodeState", "PastNode"]
