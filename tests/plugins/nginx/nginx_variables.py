"""The plugin as nginx-proxy's own variables set it up, at ports and in folders of a test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from skep.testing import EmbeddedEngine
from skep_nginx import NginxSettings
from skep_nginx.environment import nginx_table
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_https import Secured
from tests.plugins.nginx.nginx_tools import free_port, serving

NP = "com.github.nginx-proxy.nginx-proxy."


def run(node: EmbeddedEngine, name: str, port: int, labels: dict[str, str] | None = None, **env: str) -> None:
    """A container `name` that serves `name.example` at a port of this host."""
    own = {"VIRTUAL_HOST": f"{name}.example", "VIRTUAL_PORT": str(port), **env}
    node.run(name, env=own, labels={NP + key: value for key, value in (labels or {}).items()}, NetworkMode="host")


@contextlib.asynccontextmanager
async def proxied(
    folder: Path, authority: Authority, node: EmbeddedEngine, variables: dict[str, str], **settings: object
) -> AsyncIterator[Secured]:
    """Run it. Its files are in `folder`: `certs`, `vhosts`, `passwords`, `html` for challenges, and `run/access.log`."""
    http, https = free_port(), free_port()
    own = {"HTTP_PORT": str(http), "HTTPS_PORT": str(https), "DHPARAM_BITS": "2048"}
    table = await asyncio.to_thread(nginx_table, {**own, **variables}, Path("/nonexistent"))
    read = msgspec.convert(table, NginxSettings)
    for name in ("vhosts", "passwords", "certs", "html"):
        (folder / name).mkdir(exist_ok=True)
    given = {field: getattr(read, field) for field in read.__struct_fields__}
    for field in ("directory", "workers", "drain", "direct"):
        del given[field]
    given |= {
        "vhost_files": f"{folder}/vhosts",
        "password_files": f"{folder}/passwords",
        "include": "",
        "include_top": "",
        "access_log": read.access_log and f"{folder}/run/access.log",
        "tls": msgspec.structs.replace(read.tls, certificates=f"{folder}/certs"),
        "acme": msgspec.structs.replace(read.acme, folder=read.acme.folder and f"{folder}/html"),
        **settings,
    }
    async with serving(folder, node, port=http, **given) as served:
        yield Secured(served, https, authority)
