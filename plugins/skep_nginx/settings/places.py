"""The settings of an nginx that the agent does not run itself."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from skep import PluginSettings

__all__ = ["ContainerSettings", "ExternalSettings"]

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
