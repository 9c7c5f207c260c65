"""nginx in front of the containers of a whole cluster: those that name a VIRTUAL_HOST are served."""

from skep_nginx.plugin import NginxPlugin
from skep_nginx.settings import NginxSettings

__all__ = ["NginxPlugin", "NginxSettings"]
