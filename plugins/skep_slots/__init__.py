"""The filter `slots`: a node takes no more containers than its label `containerslots` says."""

from __future__ import annotations

import logging
import re

from skep import Node, NodeJoined, NodeState, NodeUpdated, PlacementQuery, Plugin, Verdict

__all__ = ["SlotsPlugin"]

_LABEL = "containerslots"
_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DIGITS = 19  # of the largest signed number of 64 bits
_log = logging.getLogger("skep.plugins.slots")


class SlotsPlugin(Plugin):
    """Keeps the nodes that have a free slot, and those that do not count theirs."""

    name = "slots"

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes with fewer containers than slots. Containers of any state count, and those that are being created."""
        full = query.state.rank_nodes("slots", _rank)
        if not full:
            return None
        return Verdict(query.nodes - full[0][1], _reason, lambda: ["available container slots"])

    async def node_joined(self, event: NodeJoined) -> None:
        """Warn of a label that is no number."""
        _check(event.node)

    async def node_updated(self, event: NodeUpdated) -> None:
        """Warn of a label that is no number, where it has changed."""
        if event.previous is None or event.previous.labels.get(_LABEL) != event.node.labels.get(_LABEL):
            _check(event.node)


def _check(node: Node) -> None:
    text = node.labels.get(_LABEL)
    if text is not None and _slots(text) is None:
        _log.warning(
            "node %s: its label %s is %.40r, expected a whole number such as 20: the number of its containers is not limited",
            node.name,
            _LABEL,
            text,
        )


def _slots(text: str) -> int | None:
    """The number, as Go reads a signed one of 64 bits; None where it is none."""
    if not _NUMBER.fullmatch(text) or len(text.lstrip("+-0")) > _DIGITS:
        return None
    number = int(text.lstrip("+-0") or "0") * (-1 if text.startswith("-") else 1)
    return number if -(2**63) <= number < 2**63 else None


def _rank(node: NodeState) -> int | None:
    """0 where no slot is free, None elsewhere."""
    text = node.node.labels.get(_LABEL)
    slots = None if text is None else _slots(text)
    return 0 if slots is not None and len(node.containers) >= slots else None


def _reason(node: NodeState) -> str:
    return (
        f"slots: its label {_LABEL} is {node.node.labels.get(_LABEL)}, and it holds {len(node.containers)} containers"
    )
