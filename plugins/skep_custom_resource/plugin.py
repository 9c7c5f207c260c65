"""The plugin: its settings, its commands, and the provider where the settings name a queue."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

from msgspec import Meta

from skep import Metric, Plugin, PluginSettings, Seconds

if TYPE_CHECKING:
    import click

    from skep_custom_resource.catalogue import Catalogue
    from skep_custom_resource.journal import Journal
    from skep_custom_resource.provider import Provider

__all__ = ["CustomResourcePlugin", "CustomResourceSettings"]

_QUEUE = re.compile(r"https?://[^/\s]+/(?P<account>\d{12})/[\w-]+(\.fifo)?")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+(\.fifo)?")


class CustomResourceSettings(PluginSettings, frozen=True, kw_only=True):
    """Whose requests are answered, and how."""

    queue: str = ""
    """URL of the SQS queue that CloudFormation's requests come by; "" is none, and there are the commands alone."""
    topics: tuple[str, ...] = ()
    """ARNs of the SNS topics whose requests are answered; empty is all that the queue's own policy lets in."""
    accounts: tuple[str, ...] = ()
    """Ids of the AWS accounts whose stacks are answered; empty is the queue's own."""
    region: str = ""
    """The queue's region; "" is what its URL or the environment says."""
    profile: str = ""
    """The profile of ~/.aws/config to use; "" is the environment's, or the machine's own role."""
    endpoint_url: str = ""
    """Another address for SQS, for tests."""
    response_hosts: tuple[str, ...] = ()
    """Hosts that answers may go to besides CloudFormation's own buckets: `name`, or `.name` for all below it."""
    plain_loopback: bool = False
    """Answer to http://127.0.0.1 too, for tests."""
    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 8
    """How many requests are worked on at one time."""
    answer_within: Annotated[Seconds, Meta(le=3600)] = 300.0
    """How long a request may take, waiting for what is not ready included; less where the template's ServiceTimeout is less."""
    visibility: Annotated[Seconds, Meta(le=43200)] = 30.0
    """How long a message is ours; extended while it is worked on. So long it takes until another agent goes on after a crash."""
    journal: str = ""
    """The file that keeps what was answered; "" is /var/lib/skep/custom_resource.journal, or for others than root that name in
    $XDG_STATE_HOME/skep."""

    def __post_init__(self) -> None:
        if self.queue and not _QUEUE.fullmatch(self.queue):
            raise ValueError(
                f"queue: expected a URL such as https://sqs.eu-west-1.amazonaws.com/123456789012/skep, not {self.queue!r}"
            )
        for topic in self.topics:
            if not _TOPIC.fullmatch(topic):
                raise ValueError(
                    f"topics: expected ARNs such as arn:aws:sns:eu-west-1:123456789012:skep, not {topic!r}"
                )
        for account in self.accounts:
            if not re.fullmatch(r"\d{12}", account):
                raise ValueError(f"accounts: expected twelve digits, not {account!r}")
        if self.journal and not Path(self.journal).is_absolute():
            raise ValueError(f"journal: expected an absolute path, not {self.journal!r}")

    @property
    def file(self) -> Path:
        """The journal's file."""
        if self.journal:
            return Path(self.journal)
        if os.geteuid() == 0:
            folder = Path("/var/lib")
        else:
            folder = Path(os.environ.get("XDG_STATE_HOME") or Path(os.environ.get("HOME", "/"), ".local/state"))
        return folder / "skep" / "custom_resource.journal"

    @property
    def allowed_accounts(self) -> tuple[str, ...]:
        """The accounts whose stacks are answered."""
        match = _QUEUE.fullmatch(self.queue)
        return self.accounts or ((match["account"],) if match else ())

    @property
    def queue_region(self) -> str:
        """The queue's region, "" where only the environment knows it."""
        match = re.match(r"https://sqs\.([a-z0-9-]+)\.amazonaws", self.queue)
        return self.region or (match[1] if match else "")


class CustomResourcePlugin(Plugin):
    """Answers CloudFormation's custom resources from a queue; its commands deploy them as Lambda functions."""

    Settings = CustomResourceSettings
    settings: CustomResourceSettings
    name = "custom_resource"

    def __init__(self, settings: CustomResourceSettings | None = None) -> None:
        super().__init__(settings)
        self._stack = AsyncExitStack()
        self._journal: Journal | None = None
        self.provider: Provider | None = None
        """What serves the queue; None without one."""
        self.catalogue: Catalogue | None = None
        """The resources that it serves."""

    async def __aenter__(self) -> Self:
        if self.settings.queue:
            await self._stack.__aenter__()
            try:
                await self._open()
            except BaseException:
                await self._stack.aclose()
                raise
        return self

    async def _open(self) -> None:
        from skep_custom_resource.catalogue import Catalogue, explain
        from skep_custom_resource.envelope import Admission
        from skep_custom_resource.journal import Journal
        from skep_custom_resource.protocol import UrlRules
        from skep_custom_resource.provider import Limits, Provider
        from skep_custom_resource.sending import Sender
        from skep_custom_resource.sqs import Queue

        settings = self.settings
        self._journal = journal = Journal(settings.file, self.log)
        self._stack.push_async_callback(journal.close)
        await journal.open()
        options = {"region_name": settings.queue_region, "endpoint_url": settings.endpoint_url}
        queue = Queue(
            settings.queue,
            visibility=settings.visibility,
            profile=settings.profile,
            **{key: value for key, value in options.items() if value},
        )
        self._stack.push_async_callback(queue.aclose)
        await queue.open()
        sender = Sender()
        self._stack.push_async_callback(sender.aclose)
        self.catalogue = Catalogue(self.agent, settings.answer_within)
        rules = UrlRules(settings.response_hosts, settings.plain_loopback, queue.region)
        admission = Admission(rules, frozenset(settings.topics), frozenset(settings.allowed_accounts))
        limits = Limits(settings.concurrency, settings.answer_within, settings.visibility / 3)
        self.provider = Provider(queue, journal, sender, admission, self.catalogue.find, explain, limits, self.log)
        self.log.info("serving %s with %s", settings.queue, ", ".join(self.catalogue.names) or "no resource")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.provider = None
        await self._stack.aclose()

    async def run(self) -> None:
        """Serve the queue."""
        if self.provider is not None:
            await self.provider.run()

    def metrics(self) -> Iterable[Metric]:
        """Requests by how they ended, those under way, whether the queue answers, and failures of the journal."""
        provider = self.provider
        if provider is None or self._journal is None:
            return
        for result in ("success", "failed", "duplicate", "refused", "undelivered", "poison"):
            labels = (("result", result),)
            yield Metric(
                "skep_custom_resource_requests_total",
                provider.counts[result],
                "Deliveries by how they ended.",
                "counter",
                labels,
            )
        yield Metric(
            "skep_custom_resource_seconds_total", provider.seconds, "Time until answers were accepted.", "counter"
        )
        yield Metric("skep_custom_resource_working", len(provider.working), "Requests that are worked on.")
        yield Metric("skep_custom_resource_queue_up", float(not provider.away), "Whether the queue answers.")
        yield Metric(
            "skep_custom_resource_journal_failures_total",
            self._journal.failures,
            "Records that could not be kept.",
            "counter",
        )

    def add_commands(self) -> Iterable[click.Command]:
        """`skep custom-resource`."""
        from skep_custom_resource.commands import custom_resource

        return [custom_resource]
