"""Who may do what through the Docker API."""

from skep_policy.plugin import PolicyPlugin
from skep_policy.settings import PolicySettings, Rule

__all__ = ["PolicyPlugin", "PolicySettings", "Rule"]
