"""Lookups in AWS: caches, images, zones, networks, certificates, stacks, parameters and secrets by name.

`skep_aws.resolvers` needs nothing but Python's own library: it can be put into a Lambda function. So the plugin itself is imported only
when somebody asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skep_aws.plugin import AwsPlugin, AwsSettings

__all__ = ["AwsPlugin", "AwsSettings"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'skep_aws' has no attribute {name!r}")
    from skep_aws import plugin

    return getattr(plugin, name)
