"""The last decisions, within bounds of number and memory."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from skep.cluster import PastNode
from skep.errors import NotFoundError, RequestError
from skep.scheduler.decision import Answers, Decision, Outcome, stripped
from skep.scheduler.placement import Placement, PlacementError
from skep.scheduler.request import PlacementRequest
from skep.scheduler.scheduler import Reservation, Rule, Scheduler

__all__ = ["Decisions"]


class Decisions:
    """Makes decisions that are to be carried out, and remembers them.

    most: how many are kept. memory: how many bytes they may take, half of it for the cluster's journal, from which they can be replayed.
    """

    def __init__(self, scheduler: Scheduler, *, most: int = 100, memory: int = 32 * 2**20) -> None:
        self._scheduler = scheduler
        self._journal = scheduler.state.journal
        self._most = most
        self._memory = memory // 2
        self._journal.most = memory // 2 if most else 0
        self._kept: OrderedDict[str, tuple[Decision, int]] = OrderedDict()
        self._size = 0

    def __iter__(self) -> Iterator[Decision]:
        """Those that are kept, the latest first."""
        return (decision for decision, _ in reversed(self._kept.values()))

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, id_: str) -> Decision:
        """The decision of that id, the latest one about a container of that name, or the only one whose id begins so.

        Raises NotFoundError.
        """
        named = next((each for each in self if id_ and each.request.container.name == id_), None)
        if named is not None and id_ not in self._kept:
            return named
        found = [self._kept[id_]] if id_ in self._kept else [v for k, v in self._kept.items() if k.startswith(id_)]
        if len(found) != 1 or not id_:
            what = f"{len(found)} decisions begin" if found and id_ else "no decision is kept"
            raise NotFoundError(f"decision {id_[:40]}: {what} so; skep decisions lists those that are")
        return found[0][0]

    def past(self, decision: Decision) -> list[PastNode]:
        """All nodes as they were when it was made. Raises NotFoundError where that is forgotten."""
        nodes = self._journal.nodes_at(decision.moment)
        if nodes is None:
            raise NotFoundError(
                f"decision {decision.id}: what the cluster was like then is no longer kept; "
                "the setting placement.decisions_memory says how much is"
            )
        return nodes

    def hold(
        self, request: PlacementRequest, *, extra: Sequence[Rule] = (), client: str = ""
    ) -> tuple[Reservation, Decision]:
        """As `Scheduler.hold`; the decision is remembered, whatever comes of it. Raises as `Scheduler.place` does."""
        decision = Decision(self._id(), time.time(), request, client, self._journal.mark())
        begun = time.perf_counter()
        try:
            placement = self._scheduler.place(request, extra=extra)
        except PlacementError as error:
            decision.seconds = time.perf_counter() - begun
            self._note(decision, error.placement, extra)
            self._end(decision, "refused", error=error.summary)
            if self._most:
                error.add_hint(f"skep decisions show {decision.id} tells more")
            raise
        except RequestError as error:
            decision.seconds = time.perf_counter() - begun
            self._note(decision, None, extra)
            self._end(decision, "refused", error=str(error))
            raise
        decision.seconds = time.perf_counter() - begun
        self._note(decision, placement, extra)
        return self._scheduler.take(placement), decision

    def created(self, decision: Decision, container: str) -> None:
        """The engine has made the container of that id."""
        self._end(decision, "created", container=container)

    def failed(self, decision: Decision, error: BaseException) -> None:
        """It could not be carried out."""
        self._end(decision, "failed", error=str(error) or "the request was broken off")

    def _end(self, decision: Decision, outcome: Outcome, *, container: str = "", error: str = "") -> None:
        decision.outcome, decision.container, decision.error = outcome, container, error[:2000]
        decision.waited = max(0.0, time.time() - decision.at - decision.seconds)

    def _id(self) -> str:
        while (made := secrets.token_hex(4)) in self._kept:
            pass
        return made

    def _note(self, decision: Decision, placement: Placement | None, extra: Sequence[Rule]) -> None:
        """Remember a decision, before anything changes; forget the oldest."""
        if not self._most:
            return
        decision.request = stripped(decision.request)
        decision.rules = (
            tuple(rule.plugin for rule in (*extra, *self._scheduler.filters)),
            tuple(rule.plugin for rule in self._scheduler.strategies),
        )
        if placement is not None:
            decision.answers = Answers.of(placement, self._journal.names)
            decision.relaxed, decision.given_up = placement.relaxed, placement.given_up
        size = decision.size
        self._kept[decision.id] = decision, size
        self._size += size
        while self._kept and (len(self._kept) > self._most or self._size > self._memory):
            self._size -= self._kept.popitem(last=False)[1][1]
        first = next(iter(self._kept.values()), None)
        if first is not None:
            self._journal.forget_before(first[0].moment)
