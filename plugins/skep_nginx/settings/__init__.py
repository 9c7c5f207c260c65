"""The plugin's settings."""

from skep_nginx.acme.settings import AcmeSettings
from skep_nginx.settings.nginx import NginxSettings
from skep_nginx.settings.places import ContainerSettings, ExternalSettings
from skep_nginx.settings.tls import TlsSettings

__all__ = ["AcmeSettings", "ContainerSettings", "ExternalSettings", "NginxSettings", "TlsSettings"]
