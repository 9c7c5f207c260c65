"""`skep custom-resource`: what deploys custom resources, and tries them."""

from __future__ import annotations

import click

__all__ = ["custom_resource"]


@click.group("custom-resource")
def custom_resource() -> None:
    """CloudFormation's custom resources: deploy them as Lambda functions, invoke them, and try them with a stack."""
