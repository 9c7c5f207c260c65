"""The counter service without databases, and with ones that are away."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from contrib.counter.counter import PostgresCounter, RedisCounter, application, counter_from


async def test_counts_gets_only_as_text_or_json() -> None:
    async with TestClient(TestServer(application(counter_from({})))) as client:
        assert await (await client.get("/")).text() == "1\n"
        assert (await client.head("/")).status == 405
        assert (await client.get("/favicon.ico")).status == 404
        answer = await client.get("/", headers={"Accept": "text/html, application/json;q=0.9"})
        assert await answer.json() == {"count": 2}


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"REDIS_URL": "127.0.0.1:1"}, "Redis at 127.0.0.1:1"),
        ({"REDIS_URL": "redis://:secret@127.0.0.1:1/3"}, "Redis at 127.0.0.1:1"),
        ({"POSTGRES_URL": "127.0.0.1:1"}, "PostgreSQL at 127.0.0.1:1"),
        ({"POSTGRES_URL": "postgres://me:secret@127.0.0.1:1/db"}, "PostgreSQL at 127.0.0.1:1"),
    ],
)
async def test_a_database_that_is_away_is_named_without_secrets(
    environment: dict[str, str], place: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with TestClient(TestServer(application(counter_from(environment)))) as client:
        answer = await client.get("/")
        text = await answer.text()
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert text.startswith(f"The count is in {place}, which is away")
    assert "secret" not in text + caplog.text


def test_ports_that_everyone_knows() -> None:
    assert RedisCounter("redis").place == "Redis at redis:6379"
    assert PostgresCounter("postgres://db/x").place == "PostgreSQL at db:5432"
