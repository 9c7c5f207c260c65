"""One Docker API endpoint over all nodes of the cluster."""

from skep_docker_api.plugin import DockerApiPlugin, DockerApiSettings

__all__ = ["DockerApiPlugin", "DockerApiSettings"]
