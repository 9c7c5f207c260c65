"""Whether a row of a listing agrees with what is known."""

from __future__ import annotations

import pytest

from skep.models import Container, ContainerRow, ContainerState, Health
from skep.watch.rows import agrees

NOW = 1_000_000.0


def known(state: str, *, began: float = 300, ended: float = 0, health: str = "none", code: int = 0) -> Container:
    """A container whose process began, and ended, so many seconds ago."""
    return Container(
        "id",
        "web",
        "n",
        state=ContainerState(state),
        started_at=NOW - began,
        finished_at=NOW - ended if ended else 0.0,
        health=Health(health),
        exit_code=code,
    )


@pytest.mark.parametrize(
    ("status", "container"),
    [
        ("Up 5 minutes", known("running")),
        ("Up 5 minutes", known("running", began=359)),
        ("Up Less than a second", known("running", began=0.2)),
        ("Up About a minute", known("running", began=119)),
        ("Up About an hour", known("running", began=6000)),
        ("Up 3 hours", known("running", began=3 * 3600 + 1700)),
        ("Up 2 weeks (healthy)", known("running", began=20 * 86400, health="healthy")),
        ("Up 3 seconds (health: starting)", known("running", began=3, health="starting")),
        ("Up 5 minutes (Paused)", known("paused", health="healthy")),
        ("Exited (137) 2 hours ago", known("exited", ended=7300, code=137)),
        ("Exited (0) Less than a second ago", known("exited", ended=1)),
        ("Restarting (1) 3 seconds ago", known("restarting", ended=3, code=1)),
        ("Created", known("created", began=NOW)),
        ("Removal In Progress", known("removing")),
        ("Dead", known("dead")),
        ("Up for quite a while", known("running")),
        ("", known("running")),
    ],
)
def test_agrees(status: str, container: Container) -> None:
    assert agrees(ContainerRow("id", ["/other/alias", "/web"], container.state, status), container, NOW)
    assert agrees(ContainerRow("id", None, container.state, status), container, NOW)


@pytest.mark.parametrize(
    ("status", "container"),
    [
        ("Up 3 seconds", known("running")),
        ("Up 2 minutes", known("running", began=400)),
        ("Up Less than a second", known("running", began=10)),
        ("Up About an hour", known("running", began=3 * 3600)),
        ("Up 5 minutes (unhealthy)", known("running", health="healthy")),
        ("Up 5 minutes (healthy)", known("running")),
        ("Up 5 minutes", known("running", health="healthy")),
        ("Up 3 seconds (Paused)", known("paused")),
        ("Exited (1) 2 hours ago", known("exited", ended=7200)),
        ("Exited (0) 2 seconds ago", known("exited", ended=60)),
        ("Restarting (1) 1 second ago", known("restarting", ended=30, code=1)),
    ],
)
def test_shows_a_change(status: str, container: Container) -> None:
    assert not agrees(ContainerRow("id", ["/web"], container.state, status), container, NOW)


def test_another_managers_names_have_the_node_in_front() -> None:
    row = ContainerRow("id", ["/n1/shop/db", "/n1/web"], "running", "Up 5 minutes")
    assert agrees(row, known("running"), NOW)
    renamed = ContainerRow("id", ["/n1/shop/web", "/n1/db"], "running", "Up 5 minutes")
    assert not agrees(renamed, known("running"), NOW)


def test_another_state_or_name_is_a_change() -> None:
    container = known("running")
    assert not agrees(ContainerRow("id", ["/web"], "exited", "Up 5 minutes"), container, NOW)
    assert not agrees(ContainerRow("id", ["/db", "/other/web"], "running", "Up 5 minutes"), container, NOW)
