"""All kinds of lookup, by name."""

from __future__ import annotations

from collections.abc import Mapping

from .certificate import CERTIFICATE
from .elasticache import ELASTICACHE
from .export import EXPORT
from .image import IMAGE
from .route53 import ROUTE53
from .secret import SECRET
from .source import Source
from .ssm import SSM
from .stack import STACK
from .vpc import VPC

__all__ = ["SOURCES"]

SOURCES: Mapping[str, Source] = {
    "elasticache": ELASTICACHE,
    "image": IMAGE,
    "route53": ROUTE53,
    "vpc": VPC,
    "certificate": CERTIFICATE,
    "stack": STACK,
    "export": EXPORT,
    "ssm": SSM,
    "secret": SECRET,
}
