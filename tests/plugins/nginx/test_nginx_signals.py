"""Which events say that a container is about to end."""

import pytest

from skep import Container, EngineEvent
from skep_nginx.signals import is_end


def killed(signal: str, action: str = "kill", type_: str = "container", at: int = 0) -> EngineEvent:
    return EngineEvent(type_, action, "a" * 64, {"signal": signal}, at, b"")


@pytest.mark.parametrize(
    ("stop", "sent", "ends"),
    [
        ("", "15", True),
        ("", "SIGTERM", True),
        ("", "9", True),
        ("", "1", False),
        ("", "10", False),
        ("", "", False),
        ("", "nonsense", False),
        ("", "-1", False),
        ("SIGQUIT", "3", True),
        ("SIGQUIT", "15", True),
        ("QUIT", "3", True),
        ("3", "3", True),
        ("SIGQUIT", "1", False),
        ("SIGWINCH", "28", True),
        ("SIGRTMIN+3", "37", True),
        ("RTMIN", "34", True),
        ("nonsense", "15", True),
        ("SIG_IGN", "1", False),
    ],
)
def test_the_stop_signal(stop: str, sent: str, ends: bool) -> None:
    assert is_end(killed(sent), Container("a" * 64, "web", "node1", stop_signal=stop)) is ends


def test_other_events() -> None:
    web = Container("a" * 64, "web", "node1")
    assert not is_end(killed("15", "die"), web)
    assert not is_end(killed("15", type_="network"), web)


@pytest.mark.parametrize(("at", "ends"), [(1_700_000_000_400_000_000, False), (1_700_000_000_600_000_000, True)])
def test_a_signal_that_ended_the_run_before_this_one_is_none(at: int, *, ends: bool) -> None:
    """Heard of late, it would keep a container that was started again out for a minute."""
    web = Container("a" * 64, "web", "node1", started_at=1_700_000_000.5)
    assert is_end(killed("15", at=at), web) is ends
