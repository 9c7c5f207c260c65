"""A picture becomes live: tested, swapped in, taken by nginx, seen to answer; or the last good configuration stays."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from skep import SkepError, TemporaryError
from skep_nginx.collect import Backend
from skep_nginx.places import OtherAnswer, Place, Refused
from skep_nginx.render import Rendered, Renderer, Style
from skep_nginx.sites import Builder, Rules
from skep_nginx.taken import asks_for_ports, find_taken, listens_in, suspects

__all__ = ["Applier", "Counts"]

_REMEMBER = 300.0  # seconds that nginx's no to a container holds
_POLL, _SOON = 0.003, 0.5  # seconds between two looks, and seconds for which they are so many
_SETTLE = 0.15  # seconds; nginx dismisses its old workers 0.1 s after it started new ones


@dataclass
class Counts:
    """What happened so far."""

    renders: int = 0
    tests: int = 0
    reloads: int = 0
    failures: int = 0
    rollbacks: int = 0


class Applier:
    """Brings configurations to one nginx, and knows which is live there."""

    def __init__(
        self,
        place: Place,
        style: Style,
        log: logging.Logger,
        *,
        verify_timeout: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = Counts()
        self.builder = Builder()
        self.rules = Rules(style.listen)
        """What the next configuration goes by besides its containers."""
        self.live: Rendered | None = None
        self.backends: tuple[Backend, ...] = ()
        """Those in the live configuration."""
        self.refused: dict[Backend, str] = {}
        """Those that nginx refuses, and its reasons; and those in `taken`."""
        self.taken: Mapping[Backend, str] = {}
        """Those whose ports somebody else has: they come in as soon as `apply` finds these free."""
        self._until: dict[Backend, float] = {}
        self._place = place
        self.style = style
        self._renderer = Renderer()
        self._log = log
        self._verify_timeout = verify_timeout
        self._clock = clock
        self._identity = ""
        self._complaint = ""  # of nginx, about the last configuration that it did not take
        self._good: Rendered | None = None
        self._asked: tuple[Sequence[Backend], Rules, Style] | None = None  # what the live configuration was made of
        self._around: tuple[Rules, Style, str] | None = None  # what the refusals hold beside

    async def apply(self, backends: Sequence[Backend]) -> None:
        """Make nginx serve these, but for those that it refuses. Raises SkepError; what was live stays so then."""
        self._forget(backends)
        await self._look_at_ports(backends)
        kept = [backend for backend in backends if backend not in self.refused]
        if (
            self._asked == (backends, self.rules, self.style)
            and self.live is not None
            and self._identity == self._place.identity
        ):
            self.backends = tuple(kept)
            return
        self._asked = None
        try:
            rendered = await self._render(kept)
            if self._is_live(rendered) or await self._found_live(rendered):
                self._took(backends, kept)
                return
            await self._test(rendered)
        except Refused as refusal:
            kept = await self._without_offenders(kept, refusal)
            rendered = await self._render(kept)
        if not self._is_live(rendered):
            try:
                await self._swap(rendered)
            except SkepError as error:
                for each in suspects(self._complaint, kept, self.backends, self.rules):
                    self._quarantine(each, str(error))
                raise
        self._took(backends, kept)

    def _took(self, asked: Sequence[Backend], kept: Sequence[Backend]) -> None:
        self.backends = tuple(kept)
        self._asked = asked, self.rules, self.style

    async def preview(self, backends: Sequence[Backend]) -> Rendered:
        """The configuration that these would give, but for those that nginx refuses. Raises Refused for what cannot be written."""
        return await self._render([backend for backend in backends if backend not in self.refused])

    async def _render(self, backends: Sequence[Backend]) -> Rendered:
        """In a thread: a thousand new sites take a tenth of a second. What cannot be written is refused as if by nginx."""
        self.counts.renders += 1
        try:
            return await asyncio.to_thread(
                lambda: self._renderer.render(self.builder.build(backends, self.rules), self.style)
            )
        except ValueError as error:
            raise Refused(str(error)) from None

    def _is_live(self, rendered: Rendered) -> bool:
        return self.live == rendered and self._identity == self._place.identity

    def _set_live(self, rendered: Rendered) -> None:
        self.live = self._good = rendered
        self._identity = self._place.identity

    async def _found_live(self, rendered: Rendered) -> bool:
        """Whether a nginx that was there before us serves this already."""
        if self.live is not None and self._identity == self._place.identity:
            return False
        installed = await self._learn()
        try:
            if installed in (None, rendered.text) and await self._place.generation() == rendered.generation:
                self._set_live(rendered)
                return True
        except TemporaryError:
            pass
        return False

    async def _learn(self) -> bytes | None:
        """What is installed; the last good one, as long as we know no other."""
        installed = await self._place.installed()
        if installed is not None and self._good is None:
            self._good = Rendered(installed, "")
        return installed

    # -- from a tested configuration to a live one

    async def _swap(self, rendered: Rendered) -> None:
        previous, self.live, self._complaint = self._good, None, ""
        await self._place.install(rendered)
        try:
            await self._place.reload()
            self.counts.reloads += 1
            await self._verify(rendered)
        except SkepError:
            if previous is not None and previous.text != rendered.text:
                await self._roll_back(previous)
            raise
        self._set_live(rendered)

    async def _roll_back(self, previous: Rendered) -> None:
        self.counts.rollbacks += 1
        try:
            await self._place.install(previous)
            await self._place.reload()
        except SkepError as error:
            self._log.error("the last good configuration could not be put back: %s", error)

    async def _verify(self, rendered: Rendered) -> None:
        """Return when nginx answers with this generation, and with no other any more."""
        began, pause = self._clock(), _POLL
        since: float | None = None
        while True:
            if complaint := self._place.complaint():
                self._complaint = complaint
                raise TemporaryError(f"nginx does not take the new configuration: {complaint}")
            answer = "it still answers with the one before"
            try:
                if await self._place.generation() == rendered.generation:
                    since = self._clock() if since is None else since
                    if self._clock() - since >= _SETTLE:
                        return
                else:
                    since = None
            except TemporaryError as error:
                answer, since = str(error), None
            if since is None and self._clock() - began > self._verify_timeout:
                raise TemporaryError(
                    f"nginx did not take the new configuration within {self._verify_timeout:g} s: {answer}"
                )
            await asyncio.sleep(pause)
            slow = self._clock() - began > _SOON
            pause = 0.02 if since is not None else min(pause * 1.5, 0.2) if slow else _POLL

    # -- offenders

    async def _test(self, rendered: Rendered) -> None:
        self.counts.tests += 1
        await self._place.test(rendered)

    async def _without_offenders(self, backends: Sequence[Backend], refusal: Refused) -> list[Backend]:
        """Those of `backends` that nginx takes together, found by halves; the others are remembered with nginx's reason."""
        try:
            await self._test(await self._render(()))
        except Refused as error:
            raise TemporaryError(f"nginx refuses even a configuration without sites: {error}") from None
        accepted: list[Backend] = []
        await self._grow(accepted, list(backends), str(refusal))
        return accepted

    async def _grow(self, accepted: list[Backend], group: list[Backend], reason: str) -> None:
        """Add to `accepted` what can be added of `group`, which as a whole is refused for `reason`."""
        if len(group) == 1:
            self._quarantine(group[0], reason)
            return
        middle = len(group) // 2
        for half in (group[:middle], group[middle:]):
            try:
                await self._test(await self._render([*accepted, *half]))
                accepted += half
            except Refused as error:
                await self._grow(accepted, half, str(error))

    async def _look_at_ports(self, backends: Sequence[Backend]) -> None:
        """Whose ports are taken is found out here: nginx itself would try them for seconds, and everybody's change with them."""
        asking = [backend for backend in backends if asks_for_ports(backend)] if self._place.is_here else []
        if not asking and not self.taken:
            return
        taken = await asyncio.to_thread(find_taken, asking, self.rules, await self._held_addresses())
        for backend in self.taken.keys() - taken.keys():
            self.refused.pop(backend, None)
        for backend in taken.keys() - self.taken.keys():
            self._quarantine(backend, taken[backend])
            del self._until[backend]
        if taken.keys() != self.taken.keys():
            self._asked = None
        self.taken = taken

    async def _held_addresses(self) -> frozenset[str]:
        """Where nginx listens itself, if it runs."""
        if self.live is None or self._identity != self._place.identity:
            await self._learn()
            try:
                await self._place.generation()
            except OtherAnswer:
                pass
            except TemporaryError:
                return frozenset()
        return listens_in(self._good.text) if self._good else frozenset()

    def _quarantine(self, backend: Backend, reason: str) -> None:
        self._log.error("container %s on %s is left out, nginx refuses it: %s", backend.name, backend.node, reason)
        self.refused[backend] = reason
        self._until[backend] = self._clock() + _REMEMBER

    def _forget(self, backends: Sequence[Backend]) -> None:
        """A container that changed, and one that waited long enough, is tried again; all are when what surrounds them has changed."""
        there, now = set(backends), self._clock()
        around = self.rules, self.style, self._place.identity
        mended, self._around = around != self._around, around
        for backend in [b for b, until in self._until.items() if mended or b not in there or until < now]:
            del self.refused[backend], self._until[backend]
            self._asked = None
