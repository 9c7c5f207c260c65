"""On which node an exec runs: engines name it by an id alone."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["KnownExecs"]

_MOST = 10_000


class KnownExecs:
    """Execs that were created or found through this endpoint, with their nodes; of more than 10,000 the latest used stay."""

    def __init__(self) -> None:
        self._nodes: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._nodes)

    def put(self, id_: str, node: str) -> None:
        """Remember one."""
        self._nodes[id_] = node
        self._nodes.move_to_end(id_)
        if len(self._nodes) > _MOST:
            self._nodes.popitem(last=False)

    def get(self, id_: str) -> str | None:
        """The node of one, None where it is not known."""
        node = self._nodes.get(id_)
        if node is not None:
            self._nodes.move_to_end(id_)
        return node
