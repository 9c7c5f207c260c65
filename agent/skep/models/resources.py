"""Images, networks and volumes of a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from skep.models.parts import Part, deflated, inflated, unpacked_labels

__all__ = ["Image", "Network", "Volume", "split_reference"]


@dataclass(frozen=True, slots=True)
class Image:
    """An image on one node: `id` (``sha256:…``), `tags` (``repo:tag``), `digests` (``repo@sha256:…``), sizes in bytes, `created` in seconds."""

    id: str
    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    created: int = 0
    size: int = 0
    labels: Mapping[str, str] | None = None
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """A network on one node; `scope` is `local` for one host's own, `global` or `swarm` for one that spans hosts.

    `row` is the engine's own JSON of it, for listings. It and the labels are kept packed, as a container's are.
    """

    id: str
    name: str
    driver: str = ""
    scope: str = "local"
    labels: Mapping[str, str] | None = None
    row: bytes = b""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume on one node; `row` is the engine's own JSON of it, for listings. Kept as a network is."""

    name: str
    driver: str = "local"
    scope: str = "local"
    mountpoint: str = ""
    labels: Mapping[str, str] | None = None
    row: bytes = b""


class Deflated(bytes):
    """A row as it is kept: compressed, with a zero byte, which JSON has none of, for the name."""

    __slots__ = ()

    @classmethod
    def of(cls, row: bytes, name: str) -> Deflated:
        """The row of a network or volume of that name."""
        bare = name.encode()
        return cls(deflated(row.replace(bare, b"\0") if bare and b"\0" not in row else row))

    def row(self, name: str) -> bytes:
        """The row again."""
        return inflated(self).replace(b"\0", name.encode())


for _kind in (Network, Volume):
    Part(_kind, "labels", tuple, unpacked_labels)
    Part(_kind, "row", Deflated, lambda item, packed: packed.row(item.name))
Part(Volume, "mountpoint", tuple, lambda volume, packed: volume.name.join(packed))


def split_reference(reference: str) -> tuple[str, str]:
    """An image reference as (repository, tag or digest): ``host:5000/app:1`` is ``("host:5000/app", "1")``; "" where there is none.

    A digest wins over a tag: ``app:1@sha256:ab`` is ``("app:1", "sha256:ab")``.
    """
    repository, at, digest = reference.partition("@")
    if at:
        return repository, digest
    repository, colon, tag = reference.rpartition(":")
    if not colon or "/" in tag:
        return reference, ""
    return repository, tag
