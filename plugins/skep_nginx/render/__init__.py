"""From the model to nginx's configuration: the same model gives the same bytes.

One module per part of the configuration: `frame` around `http`, in it `fallback`, and for each site `site`, `upstream`, `location`, `tls`.
"""

from skep_nginx.render.frame import frame, temporary_paths
from skep_nginx.render.render import Rendered, Renderer, render
from skep_nginx.render.style import Style

__all__ = ["Rendered", "Renderer", "Style", "frame", "render", "temporary_paths"]
