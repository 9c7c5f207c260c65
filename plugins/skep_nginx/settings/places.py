"""The settings of an nginx that the agent does not run itself."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from msgspec import Meta

from skep import PluginSettings

__all__ = ["ContainerSettings", "ExternalSettings", "parse_published"]

_PUBLISHED = re.compile(
    r"(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?P<public>[0-9]{1,5}):(?P<private>[0-9]{1,5})(?:/(?P<protocol>tcp|udp))?"
)

Command = Annotated[tuple[str, ...], Meta(min_length=1)]


class ExternalSettings(PluginSettings, frozen=True, kw_only=True):
    """An nginx that somebody else runs on this host. Commands are lists of words; no shell sees them."""

    conf: str = "/etc/nginx/conf.d/skep.conf"
    """The file that is ours; that nginx includes it in its `http { }`."""
    test: Command = ("nginx", "-t", "-q", "-c", "{conf}")
    """Tries a candidate alone, before it is installed; `{conf}` is a whole configuration around it."""
    check: Command = ("nginx", "-t", "-q")
    """Tries the nginx's whole configuration, once the candidate is in its place; if it fails, the last good one is put back."""
    reload: Command = ("nginx", "-s", "reload")
    """Makes it take its configuration."""


class ContainerSettings(PluginSettings, frozen=True, kw_only=True):
    """An nginx in a container of its own, which is configured through its engine."""

    name: str = ""
    """The container's name; "" is whichever has the label."""
    label: str = "skep.nginx"
    """The label that it has."""
    node: str = ""
    """The node that it is on; "" is any."""
    conf: str = "/etc/nginx/conf.d/default.conf"
    """The file in it that is ours; its nginx includes it in its `http { }`."""
    nginx: str = "nginx"
    """The program in it."""
    image: str = ""
    """What it is made of where there is none, and made again when it is gone; "" is not at all."""
    publish: tuple[str, ...] = ("80:80", "443:443")
    """The ports that it is made with: `80:80`, `127.0.0.1:8080:80`, `443:443/udp`."""
    network: str = ""
    """The network that it is made on; "" is the engine's own."""

    def __post_init__(self) -> None:
        for text in self.publish:
            parse_published(text)


def parse_published(text: str) -> tuple[str, str, str]:
    """A port to publish: the host's address and port, and the container's as engines write it, `80/tcp`. Raises ValueError."""
    found = _PUBLISHED.fullmatch(text)
    ip = found["ip"].strip("[]") if found and found["ip"] else ""
    try:
        if found is None or not all(0 < int(found[key]) < 65536 for key in ("public", "private")):
            raise ValueError(text)
        if ip:
            ipaddress.ip_address(ip)
    except ValueError:
        raise ValueError(f"publish: {text[:60]!r} is no port to publish: expected for example '80:80'") from None
    return ip, found["public"], f"{found['private']}/{found['protocol'] or 'tcp'}"
