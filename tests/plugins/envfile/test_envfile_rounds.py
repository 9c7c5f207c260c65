"""Many files: each distinct question is asked once in a round, whether it is answered or not, and slow ones hold nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from skep import NotFoundError, RequestError, TemporaryError, Values
from skep.testing import wait_for
from skep_envfile.rounds import Round, combine
from skep_envfile.settings import FileSettings, SourceSettings
from tests.plugins.envfile.envfile_sources import KeeperOf, Sources, thing


async def test_a_thousand_files_of_twenty_questions_ask_twenty_times(keeping: KeeperOf, sources: Sources) -> None:
    names = [f"thing{number}" for number in range(20)]
    for name in names:
        sources.answers[name] = {"Name": name}
    sources.answers["thing7"] = TemporaryError("away")
    files = {f"file{number}": {"sources": [thing(names[number % 20])]} for number in range(1000)}
    async with keeping(files) as keeper:
        await wait_for(lambda: all(each.state in ("good", "failing") for each in keeper.files.values()), 30)
        assert sum(each.state == "good" for each in keeper.files.values()) == 950
        assert sources.asked == dict.fromkeys(names, 1)
        await keeper.refresh()
        assert sources.asked == dict.fromkeys(names, 2)


def file_of(*names: str) -> FileSettings:
    sources = tuple(SourceSettings(lookup="things", properties={"Name": name}) for name in names)
    return FileSettings(path="/x", sources=sources)


class Slow:
    """Answers when the test lets it; counts how many are being asked."""

    def __init__(self) -> None:
        self.now = self.most = self.asked = 0
        self.go = asyncio.Event()

    async def ask(self, name: str, properties: Mapping[str, object]) -> Values:
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.go.wait()
        finally:
            self.now -= 1
        return Values({str(properties["Name"]): "1"})


async def test_no_more_than_so_many_are_asked_at_one_time() -> None:
    slow = Slow()
    async with Round(slow.ask, asyncio.Semaphore(3)) as questions:
        tasks = [asyncio.create_task(questions.gather(file_of(f"N{number % 10}"))) for number in range(50)]
        await wait_for(lambda: slow.now == 3)
        slow.go.set()
        await asyncio.gather(*tasks)
    assert (slow.asked, slow.most) == (10, 3)


async def test_a_round_that_is_cancelled_leaves_nothing_asked() -> None:
    slow = Slow()

    async def work() -> None:
        async with Round(slow.ask, asyncio.Semaphore(8)) as questions:
            await questions.gather(file_of("A", "B"))

    task = asyncio.create_task(work())
    await wait_for(lambda: slow.now == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.now == 0


async def test_one_source_that_fails_is_named_and_the_others_are_not_written_without_it() -> None:
    async def ask(name: str, properties: Mapping[str, object]) -> Values:
        if properties["Name"] == "bad":
            raise NotFoundError("there is no bad")
        return Values({"A": "1"})

    async with Round(ask, asyncio.Semaphore(8)) as questions:
        with pytest.raises(RequestError, match="things: there is no bad"):
            await questions.gather(file_of("good", "bad"))


def test_what_a_source_may_be_called_the_file_may_too_but_its_prefix_makes_no_other_name() -> None:
    answer = Values({"PATH": "/x", "TH": "y"})
    source = SourceSettings(lookup="things", include=("PATH",))
    assert combine(FileSettings(path="/x", sources=(source,)), [answer]).values == {"PATH": "/x"}
    both = SourceSettings(lookup="things", include=("TH",))
    with pytest.raises(RequestError, match="TH would be the variable PATH"):
        combine(FileSettings(path="/x", sources=(both,), prefix="PA"), [answer])


def test_rules_of_the_file_are_for_all_sources_together() -> None:
    sources = tuple(SourceSettings(lookup="things", prefix=prefix) for prefix in ("A_", "B_"))
    answer = Values({"Url": "u", "Port": "5"}, secret={"Url"})
    file = FileSettings(path="/x", sources=sources, exclude=("B_P*",), rename={"A_Url": "URL"})
    found = combine(file, [answer, answer])
    assert found.values == {"A_Port": "5", "B_Url": "u", "URL": "u"}
    assert found.secret == {"B_Url", "URL"}
    assert found.origins["URL"] == "things: Url"


async def test_a_slow_lookup_does_not_keep_other_files_waiting(
    keeping: KeeperOf, sources: Sources, tmp_path: Path
) -> None:
    hold, plain = asyncio.Event(), sources.resolve

    async def resolve(properties: Mapping[str, object]) -> Values:
        if properties["Name"] == "slow":
            await hold.wait()
        return await plain(properties)

    sources.resolve = resolve  # type: ignore[method-assign]
    sources.answers["slow"] = {"S": "1"}
    async with keeping({"slow": {"sources": [thing("slow")]}, "prod": {"interval": 0.2}}) as keeper:
        await wait_for(lambda: keeper.files["prod"].succeeded >= 3)
        assert keeper.files["slow"].succeeded == 0
        hold.set()
        await wait_for(lambda: keeper.files["slow"].state == "good")


async def test_the_agent_is_up_while_a_lookup_hangs_and_stops_at_once(keeping: KeeperOf, sources: Sources) -> None:
    asked = asyncio.Event()

    async def resolve(properties: Mapping[str, object]) -> Values:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    sources.resolve = resolve  # type: ignore[method-assign]
    async with asyncio.timeout(5), keeping({"prod": {}}) as keeper:
        await asked.wait()
        assert keeper.files["prod"].state == "waiting"
