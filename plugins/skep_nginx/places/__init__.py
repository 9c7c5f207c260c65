"""Where nginx runs: as a process of the agent, in a container, or as somebody else's."""

from skep_nginx.places.base import OtherAnswer, Place, Refused
from skep_nginx.places.container import ContainerPlace
from skep_nginx.places.external import ExternalPlace
from skep_nginx.places.process import ProcessPlace

__all__ = ["ContainerPlace", "ExternalPlace", "OtherAnswer", "Place", "ProcessPlace", "Refused"]
