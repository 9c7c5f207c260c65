"""The plugin `custom_resource`: CloudFormation's custom resources, answered by the agent or by Lambda functions.

`skep_custom_resource.protocol` needs nothing but Python's own library: a Lambda function is made of it. So the plugin itself is imported
only when somebody asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skep_custom_resource.plugin import CustomResourcePlugin, CustomResourceSettings

__all__ = ["CustomResourcePlugin", "CustomResourceSettings"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'skep_custom_resource' has no attribute {name!r}")
    from skep_custom_resource import plugin

    return getattr(plugin, name)
