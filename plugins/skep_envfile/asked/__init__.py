"""Values that a container asks for when it is created: `-e from:stack==prod`."""

from __future__ import annotations

from skep_envfile.asked.allowed import Allowed
from skep_envfile.asked.claims import check_claims
from skep_envfile.asked.entries import FROM, LABEL, FromLabel
from skep_envfile.asked.filling import fill

__all__ = ["FROM", "LABEL", "Allowed", "FromLabel", "check_claims", "fill"]
