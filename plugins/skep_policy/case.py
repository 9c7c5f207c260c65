"""One request before its rule, and what is found against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from skep import ApiRequest, ClusterState, ConflictError, Container, NotFoundError
from skep_policy.settings import PROFILES, Profile, Rule

__all__ = ["Case", "Finding", "Findings"]

RESERVED = ("com.docker.swarm.", "skep.")
"""Beginnings of labels by which the cluster itself is told something."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule does not allow. `least` is the strictest profile that takes it (None: none does), `grant` the setting and the value that would."""

    text: str
    least: Profile | None = "privileged"
    grant: tuple[str, str] | None = None


Findings = Iterator[Finding]


@dataclass(slots=True)
class Case:
    """A request with its rule. `body` and `query` may be changed by those who look at it; an engine gets them so.

    `state` is None where no cluster is at hand; nothing that exists is looked at then. `learning`: what would be put right is told instead.
    `owners` are the keys of all rules' `owner`.
    """

    request: ApiRequest
    operation: str
    rule: Rule
    state: ClusterState | None = None
    owners: frozenset[str] = frozenset()
    learning: bool = False
    body: dict[str, Any] = field(default_factory=dict)
    query: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def host(self) -> dict[str, Any]:
        """`HostConfig` of a container that is created."""
        if self.body.get("HostConfig") is None:
            self.body["HostConfig"] = {}
        found: dict[str, Any] = self.body["HostConfig"]
        return found

    def is_under(self, profile: Profile) -> bool:
        """Whether the rule's profile is at least as strict as that one."""
        return PROFILES.index(self.rule.profile) <= PROFILES.index(profile)

    def takes(self, finding: Finding) -> bool:
        """Whether the profile lets it pass: `privileged` all that is of profiles, and not of other settings."""
        return finding.least is not None and PROFILES.index(finding.least) <= PROFILES.index(self.rule.profile)

    def container(self, reference: str) -> Container | None:
        """The container of that name, None where it is not there, or not the clients'."""
        if self.state is None:
            return None
        with suppress(NotFoundError, ConflictError):
            found = self.state.find_container(reference)
            return found if self.rule.owns(found.labels) else None
        return None

    def mine(self, reference: str) -> Container | None:
        """The container of that name that surely was made by the same rule; never one where the rule has no label of its own."""
        return self.container(reference) if self.rule.owner else None

    def labels(self, given: Mapping[str, str] | None, where: str) -> Findings:
        """Labels that are set on something new. Those by which the cluster or other rules are told something are not the client's to set."""
        key, value = self.rule.label
        for name, text in (given or {}).items():
            if name == key and text == value:
                continue
            if name.lower().startswith(RESERVED):
                yield Finding(f"{where}: the label {name[:80]} is the cluster's own", None)
            elif name in self.owners:
                yield Finding(f"{where}: the label {name[:80]} says whose it is, and is not yours to set", None)

    def owned(self, given: Mapping[str, str] | None) -> dict[str, str]:
        """The labels with the clients' own."""
        key, value = self.rule.label
        return {**(given or {}), key: value} if key else dict(given or {})
