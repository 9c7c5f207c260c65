"""Finding engines: a list (`nodes://`), a file (`file://`), a token at a discovery service (`token://`), and that service."""

from skep_discovery.plugin import DiscoveryPlugin, DiscoverySettings

__all__ = ["DiscoveryPlugin", "DiscoverySettings"]
