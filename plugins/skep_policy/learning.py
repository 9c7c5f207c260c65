"""What clients asked for, and the smallest rules that would have allowed it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from skep import Client
from skep_policy.case import Finding
from skep_policy.operations import SETS
from skep_policy.settings import PROFILES, Profile

__all__ = ["Learned", "Learner"]

_MOST_CLIENTS = 1000
_MOST_VALUES = 200


@dataclass(slots=True)
class Learned:
    """What one client would need. `unmet` are things that no setting but `privileged` allows, by their text."""

    client: str
    profile: Profile = "restricted"
    grants: dict[str, set[str]] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)

    def add(self, operation: str, findings: Iterable[Finding]) -> None:
        """Note a request."""
        self._grant("allow", operation)
        for finding in findings:
            if finding.grant is not None and self._grant(*finding.grant):
                continue
            least = finding.least or "privileged"
            if PROFILES.index(least) > PROFILES.index(self.profile):
                self.profile = least

    def add_image(self, name: str) -> None:
        """Note an image."""
        if len(self.images) < _MOST_VALUES:
            self.images.add(name)

    def _grant(self, setting: str, value: str) -> bool:
        values = self.grants.setdefault(setting, set())
        if value not in values and len(values) >= _MOST_VALUES:
            return False
        values.add(value)
        return True

    def toml(self, name: str) -> str:
        """The rule, as settings."""
        rows = {"clients": [self.client], "allow": _shortest(self.grants.get("allow", set())), "profile": self.profile}
        rows |= {key: sorted(values) for key, values in sorted(self.grants.items()) if key != "allow" and values}
        if self.images and self.profile != "privileged" and len(self.images) < _MOST_VALUES:
            rows["images"] = sorted(self.images | self.grants.get("images", set()))
        lines = [f"{key} = {json.dumps(value, ensure_ascii=True)}" for key, value in rows.items()]
        return "\n".join([f"[plugins.policy.rules.{name}]", *lines]) + "\n"


class Learner:
    """What all clients asked for; of more than 1,000 the first ones."""

    def __init__(self) -> None:
        self.clients: dict[str, Learned] = {}

    def of(self, client: Client) -> Learned | None:
        """What is known of a client; None where there are too many."""
        key = _pattern(client)
        if key not in self.clients and len(self.clients) >= _MOST_CLIENTS:
            return None
        return self.clients.setdefault(key, Learned(key))

    def toml(self) -> str:
        """All rules, as settings."""
        names: set[str] = set()
        parts = []
        for learned in self.clients.values():
            name = re.sub(r"[^a-z0-9]+", "_", learned.client.lower(), flags=re.ASCII).strip("_")[:40] or "client"
            while name in names:
                name += "_"
            names.add(name)
            parts.append(learned.toml(name))
        return "\n".join(parts)


def _pattern(client: Client) -> str:
    """Who that is, as a rule's `clients` say it. A certificate's name that would be another kind of client there is passed over."""
    name = "" if re.match(r"(?:uid|gid|ip):|.*://", client.name, re.DOTALL) else client.name
    if name or client.uris:
        return re.sub(r"([*?\[])", r"[\1]", name or client.uris[0])
    return f"uid:{client.uid}" if client.uid is not None else f"ip:{client.address}"


def _shortest(operations: set[str]) -> list[str]:
    """A set where all of it was used, and the rest by name; `system.ping` and the like are everybody's."""
    left, found = set(operations), []
    for name in ("run", "build", "operate", "read-only"):
        if SETS[name] <= left:
            found.append(name)
            left -= SETS[name]
    return found + sorted(left - {"system.ping", "system.version", "unknown"}) + (["all"] if "unknown" in left else [])
