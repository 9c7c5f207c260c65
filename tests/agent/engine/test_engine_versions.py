import asyncio

import pytest

from skep.engine import Engine
from skep.engine.versions import choose, parse_version
from skep.errors import EngineError, EngineProtocolError, EngineUnreachableError
from tests.agent.engine.raw_engine import PING, RawEngine, http


@pytest.mark.parametrize(
    ("theirs", "chosen"),
    [("1.24", "1.24"), ("1.41", "1.41"), ("1.45", "1.45"), ("1.52", "1.52")],
)
async def test_the_engines_version_is_taken_when_we_know_it(
    theirs: str, chosen: str, raw: RawEngine, engine: Engine
) -> None:
    raw.answers |= {"/_ping": http(b"OK", Api_Version=theirs), "/info": http(b"{}")}
    assert engine.api_version is None
    await engine.call("GET", "/info")
    assert engine.api_version == chosen
    assert [request.line for request in raw.requests] == [
        "GET /_ping HTTP/1.1",
        f"GET /v{chosen}/info HTTP/1.1",
    ]


async def test_a_newer_engine_is_spoken_to_in_our_newest(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/_ping"] = http(b"OK", Api_Version="1.99")
    raw.answers["/version"] = http(b'{"ApiVersion":"1.99","MinAPIVersion":"1.44"}')
    assert await engine.negotiate() == "1.52"


async def test_an_engine_that_does_not_tell_by_ping_is_asked(raw: RawEngine, engine: Engine) -> None:
    raw.answers |= {"/_ping": http(b"OK"), "/version": http(b'{"ApiVersion":"1.30"}')}
    assert await engine.negotiate() == "1.30"


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (
            b'{"ApiVersion":"1.99","MinAPIVersion":"1.60"}',
            "1.60 to 1.99, skep speaks 1.24 to 1.52: a newer skep",
        ),
        (b'{"ApiVersion":"1.12","MinAPIVersion":"1.12"}', "1.12, skep speaks 1.24 to 1.52: a newer engine"),
        (b'{"ApiVersion":"banana"}', "'banana' is not an API version"),
        (b'{"ApiVersion":""}', "'' is not an API version"),
        (b'{"ApiVersion":7}', "Expected `str`, got `int` - at `\\$.ApiVersion`"),
        (b"[]", "Expected `object`"),
    ],
)
async def test_no_common_version_names_both_ranges(version: bytes, told: str, raw: RawEngine, engine: Engine) -> None:
    raw.answers |= {"/_ping": http(b"OK"), "/version": http(version)}
    with pytest.raises(EngineProtocolError, match=told) as caught:
        await engine.negotiate()
    assert raw.address in str(caught.value)


async def test_fifty_at_once_ask_once(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/info"] = http(b"{}")
    await asyncio.gather(*(engine.call("GET", "/info") for _ in range(50)))
    assert raw.count("/_ping") == 1


async def test_one_failure_is_told_to_all_who_wait_and_the_next_asks_again(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/_ping"] = http(b'{"message":"starting"}', 503)
    results = await asyncio.gather(*(engine.negotiate() for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [EngineError] * 5
    assert raw.count("/_ping") == 1
    raw.answers["/_ping"] = PING
    assert await engine.negotiate() == "1.41"


async def test_one_who_gives_up_does_not_spoil_it_for_the_others(raw: RawEngine, engine: Engine) -> None:
    release = asyncio.Event()

    async def slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(PING)
        await writer.drain()

    raw.answers["/_ping"] = slowly
    impatient, patient = asyncio.create_task(engine.negotiate()), asyncio.create_task(engine.negotiate())
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    release.set()
    assert await patient == "1.41"


async def test_after_a_reset_the_engine_is_asked_again(raw: RawEngine, engine: Engine) -> None:
    await engine.negotiate()
    raw.answers["/_ping"] = http(b"OK", Api_Version="1.45")
    assert await engine.negotiate() == "1.41"
    engine.reset()
    assert engine.api_version is None
    assert await engine.negotiate() == "1.45"


async def test_closing_ends_a_negotiation_under_way(raw: RawEngine) -> None:
    async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    raw.answers["/_ping"] = silence
    engine = Engine(raw.address)
    waiting = asyncio.create_task(engine.negotiate())
    while not raw.requests:
        await asyncio.sleep(0.005)
    await engine.aclose()
    with pytest.raises(EngineUnreachableError, match="closed"):
        await waiting
    with pytest.raises(EngineUnreachableError, match="closed"):
        await engine.ping()


@pytest.mark.parametrize(("wanted", "spoken"), [("1.24", "1.44"), ("1.44", "1.44"), ("1.50", "1.50"), ("9.9", "1.52")])
async def test_the_nearest_version_is_one_that_the_engine_still_speaks(
    wanted: str, spoken: str, raw: RawEngine, engine: Engine
) -> None:
    raw.answers |= {
        "/_ping": http(b"OK", Api_Version="1.52"),
        "/version": http(b'{"ApiVersion":"1.52","MinAPIVersion":"1.44"}'),
    }
    assert await engine.nearest_version(wanted) == spoken
    assert await engine.nearest_version(wanted) == spoken
    assert raw.count("/version") == (0 if wanted == "9.9" else 1)


async def test_an_engine_that_names_no_oldest_version_is_taken_to_speak_all(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/version"] = http(b'{"ApiVersion":"1.41"}')
    assert await engine.nearest_version("1.30") == "1.30"
    raw.answers["/version"] = http(b'{"ApiVersion":"1.41","MinAPIVersion":"soon"}')
    engine.reset()
    with pytest.raises(EngineProtocolError, match="'soon' is not an API version"):
        await engine.nearest_version("1.30")


def test_choose_takes_the_newest_in_both_ranges() -> None:
    assert choose((1, 60), (1, 44)) == (1, 52)
    assert choose((1, 41), (1, 12)) == (1, 41)
    with pytest.raises(ValueError, match=r"1\.53 to 1\.60"):
        choose((1, 60), (1, 53))


@pytest.mark.parametrize("text", ["1", "1.", "v1.41", "1.41.2", "1.41\n", "1.٤"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an API version"):
        parse_version(text)
