"""Keeps a certificate for each set of names that is wanted: asks in time, a few at once, slower after failures, and keeps the last good one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from skep import Metric, SkepError
from skep_nginx.acme.client import AcmeClient
from skep_nginx.acme.failures import OrderFailed
from skep_nginx.acme.pace import DAY, Pace, Window, renew_at
from skep_nginx.acme.settings import AcmeSettings
from skep_nginx.acme.storage import Record, Storage
from skep_nginx.acme.wishes import Order, Plan
from skep_nginx.certificates.pem import Pair, Unusable, read_pair

__all__ = ["Acme"]

_TICK = 30.0  # seconds between looks at the wall clock, which may jump
_CRASHED = 60.0  # seconds after which an order that an end of the agent cut off is tried again
Names = tuple[str, ...]


class Acme:
    """The certificates of one authority. `changed` is called when there is a new one; times are seconds since the epoch."""

    def __init__(
        self,
        settings: AcmeSettings,
        folder: Path,
        log: logging.Logger,
        changed: Callable[[], None] = lambda: None,
        *,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._log = log
        self._changed = changed
        self._pace = pace or Pace()
        self._clock = clock
        self._storage = Storage(folder, settings.url, log)
        self._client = AcmeClient(settings, self._storage)
        self._window = Window(settings.most_orders)
        self._plan = Plan()
        self._records: dict[Names, Record] = {}
        self._pairs: dict[Names, Pair] = {}
        self._unsaved: set[Names] = set()
        self._running: set[Names] = set()
        self._wake = asyncio.Event()
        self.orders = {"issued": 0, "failed": 0}

    @property
    def thumbprint(self) -> str:
        """What nginx answers challenges with, behind their token."""
        return self._client.thumbprint

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All certificates that are valid now; where several are for one name, the one that lasts longest comes first."""
        now = self._clock()
        valid = [pair for pair in self._pairs.values() if pair.not_after > now]
        return tuple(sorted(valid, key=lambda pair: (-pair.not_after, pair.names)))

    async def prepare(self) -> None:
        """Read what was kept. Raises TemporaryError, PluginError."""
        await self._client.prepare()
        self._records = await asyncio.to_thread(self._storage.records)
        self._window.seed(record.tried_at for record in self._records.values() if record.tried_at)
        for names, record in self._records.items():
            if record.chain:
                try:
                    self._pairs[names] = await asyncio.to_thread(self._read, record)
                except Unusable as reason:
                    self._log.warning("the kept certificate for %s is not used: %s", names[0], reason)

    def want(self, plan: Plan) -> None:
        """These are wanted from now on, and nginx answers their challenges."""
        if plan != self._plan:
            for container, reason in (plan.refused or {}).items():
                if (self._plan.refused or {}).get(container) != reason:
                    self._log.warning("container %s gets no certificate: %s", container, reason)
            self._plan = plan
            self._wake.set()

    async def run(self) -> None:
        """Ask for what is due, for as long as nobody cancels it."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                await self._save()
                self._clean()
                for order in self._due():
                    self._running.add(order.names)
                    group.create_task(self._obtain(order), name=f"nginx acme {order.names[0]}")
                try:
                    async with asyncio.timeout(self._pause()):
                        await self._wake.wait()
                except TimeoutError:
                    pass

    # -- what is due

    def _due_at(self, order: Order) -> float:
        record, pair = self._records.get(order.names), self._pairs.get(order.names)
        due = renew_at(pair.not_before, pair.not_after, self._settings.renew, order.names[0]) if pair else 0.0
        # A wait that a wall clock which was wrong has put years ahead ends within the longest that there is.
        return max(due, min(record.retry_at, self._clock() + 2 * DAY) if record else 0.0)

    def _due(self) -> list[Order]:
        now = self._clock()
        free = self._settings.parallel - len(self._running)
        waiting = [each for each in self._plan.orders if each.names not in self._running and self._due_at(each) <= now]
        # Who has none at all comes first, then whose ends first.
        waiting.sort(key=lambda each: (self._expiry(each.names), each.names))
        return [order for order in waiting[: max(free, 0)] if self._window.take(now)]

    def _expiry(self, names: Names) -> float:
        pair = self._pairs.get(names)
        return pair.not_after if pair else 0.0

    def _pause(self) -> float:
        now = self._clock()
        coming = [self._due_at(order) - now for order in self._plan.orders if order.names not in self._running]
        return min([_TICK, *(wait for wait in coming if wait > 0)]) + 0.01

    # -- one order

    async def _obtain(self, order: Order) -> None:
        names = order.names
        record = self._records.get(names) or Record(names=names)
        now = self._clock()
        try:
            # Written first: a disk that is full costs the authority nothing, nor does an agent that is started again and again.
            record = replace(record, tried_at=now, retry_at=now + _CRASHED)
            await self._storage.keep(record)
            chain, key = await self._client.order(names, order.email)
            record = replace(record, chain=chain, key=key, retry_at=0.0, failures=0, kind="", reason="")
            pair = await asyncio.to_thread(self._read, record)
        except OrderFailed as failure:
            self._fail(record, failure.kind, str(failure))
        except Unusable as reason:  # it would be so again
            self._fail(self._records.get(names) or Record(names=names, tried_at=now), "refused", str(reason))
        except SkepError as error:
            self._fail(self._records.get(names) or Record(names=names, tried_at=now), "away", str(error))
        except Exception as error:  # a mistake of ours costs no site, and no other certificate
            self._log.exception("the order for %s broke", names[0])
            self._fail(self._records.get(names) or Record(names=names, tried_at=now), "refused", type(error).__name__)
        else:
            self._records[names] = record
            self._unsaved.add(names)
            await self._save()  # before anybody hears of it: it cost an order
            self._pairs[names] = pair
            self.orders["issued"] += 1
            until = time.strftime("%Y-%m-%d %H:%M", time.gmtime(self._pairs[names].not_after))
            self._log.info("a certificate for %s is issued, valid until %s UTC", ", ".join(names), until)
            self._changed()
        finally:
            self._running.discard(names)
            self._wake.set()

    def _fail(self, record: Record, kind: str, reason: str) -> None:
        failures = record.failures + 1
        wait = self._pace.wait(kind, failures, f"{record.names[0]} {failures}")
        self._records[record.names] = replace(
            record, failures=failures, kind=kind, reason=reason, retry_at=self._clock() + wait
        )
        self._unsaved.add(record.names)
        self.orders["failed"] += 1
        stays = "; the one there is stays" if record.names in self._pairs else ""
        self._log.error("no certificate for %s: %s%s; tried again in %s", record.names[0], reason, stays, _span(wait))

    def _read(self, record: Record) -> Pair:
        """What the authority sent, which need not be what was asked for."""
        pair = read_pair(record.chain.encode(), record.key.encode(), self._clock())
        if missing := [name for name in record.names if not pair.covers(name)]:
            raise Unusable(f"the authority's certificate is not for {missing[0]}")
        return pair

    # -- keeping

    async def _save(self) -> None:
        for names in sorted(self._unsaved):
            try:
                await self._storage.keep(self._records[names])
            except SkepError as error:
                self._log.error("%s; this is tried again", error)
                return
            self._unsaved.discard(names)

    def _clean(self) -> None:
        """Forget what nobody wants, once it is of no use to whoever may want it again."""
        wanted = {order.names for order in self._plan.orders} | self._running
        now = self._clock()
        for names, record in list(self._records.items()):
            pair = self._pairs.get(names)
            if names in wanted or (pair and pair.not_after > now) or now < record.retry_at:
                continue
            if self._plan.orders:  # not before the first look at the containers
                self._pairs.pop(names, None)
                self._records.pop(names)
                self._unsaved.discard(names)
                self._storage.forget(names)

    # -- looking at it

    def status(self) -> list[dict[str, Any]]:
        """Each wanted certificate as JSON shows it; times are seconds since the epoch, None for never."""
        return [self._describe(order) for order in self._plan.orders]

    @property
    def refused(self) -> dict[str, str]:
        """Containers that do not get what they ask for, and why."""
        return dict(self._plan.refused or {})

    def _describe(self, order: Order) -> dict[str, Any]:
        pair, record = self._pairs.get(order.names), self._records.get(order.names)
        failing = record is not None and record.failures > 0
        ordering = order.names in self._running
        return {
            "names": list(order.names),
            "state": "ordering" if ordering else "failing" if failing else "valid" if pair else "waiting",
            "expires": pair.not_after if pair else None,
            "next": self._due_at(order) or None,
            "failures": record.failures if record else 0,
            "reason": record.reason if record else "",
        }

    def metrics(self) -> Iterable[Metric]:
        """When certificates end, and how orders went."""
        for result, count in self.orders.items():
            yield Metric(
                "skep_nginx_acme_orders_total",
                count,
                "Orders for certificates, by how they ended.",
                "counter",
                labels=(("result", result),),
            )
        states = [entry["state"] for entry in self.status()]
        for state in ("valid", "ordering", "waiting", "failing"):
            yield Metric(
                "skep_nginx_acme_certificates",
                states.count(state),
                "Certificates wanted by ACME, by state.",
                labels=(("state", state),),
            )


def _span(seconds: float) -> str:
    """As people say it."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
