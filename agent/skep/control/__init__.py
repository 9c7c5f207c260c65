"""What a running agent answers about itself: JSON for the command line, health for a load balancer, metrics for Prometheus."""

from skep.control.routes import add_routes

__all__ = ["add_routes"]
