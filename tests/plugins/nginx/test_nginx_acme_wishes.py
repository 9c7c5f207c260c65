"""What containers ask certificates for, and how few orders that makes."""

from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep_nginx.acme.pace import Pace, Window, renew_at
from skep_nginx.acme.settings import AcmeSettings, is_email
from skep_nginx.acme.wishes import Ask, Order, parse_name, plan, read_ask


def asks(text: str | None, *owned: str, container: str = "web", email: str = "") -> Ask:
    return Ask(container, text, email, owned)


def test_one_order_for_each_set_of_names() -> None:
    found = plan(
        [
            asks("b.example,a.example", "a.example", "b.example", container="1"),
            asks("a.example , B.example,", "a.example", "b.example", container="2", email="x@example.com"),
            asks("a.example", "a.example", container="3"),
            asks(None, "c.example", "*.c.example", "~^d", "203.0.113.7", "name", container="4"),
            asks("x.w.example", "*.w.example", container="5"),
        ]
    )
    names = [order.names for order in found.orders]
    assert names == [("a.example", "b.example"), ("c.example",), ("x.w.example",)]
    assert found.orders[0] == Order(("a.example", "b.example"), "x@example.com")
    assert found.refused == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("*.a.example", "a wildcard is proved by DNS only"),
        ("a.example,b.example", "which this container does not serve"),
        ("localhost", "certify full names"),
        ("127.0.0.1", "certify full names"),
        ("a..example", "expected a name such as"),
        ("a.example;", "expected a name such as"),
        ("ä.example", "expected a name such as"),
        ("../../etc", "expected a name such as"),
        ("x" * 9000, "9000 characters"),
        (",".join(f"n{number}.example" for number in range(101)), "101 names"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    found = plan([asks(text, "a.example")])
    assert found.orders == ()
    assert reason in (found.refused or {})["web"]


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from(printable)), max_size=80))
def test_no_text_reaches_an_authority_unparsed(text: str) -> None:
    try:
        name = parse_name(text)
    except ValueError:
        return
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")
    assert "." in name


def test_the_variables_of_acme_companion() -> None:
    env = {"LETSENCRYPT_HOST": "a.example", "LETSENCRYPT_EMAIL": "ops@example.com"}
    assert read_ask("web", env, ["a.example"]) == Ask("web", "a.example", "ops@example.com", ("a.example",))
    assert read_ask("web", {"ACME_HOST": "a.example", "ACME_EMAIL": "no\nmail"}, []) == Ask("web", "a.example", "", ())
    assert read_ask("web", {"LETSENCRYPT_HOST": " "}, []) is None
    assert not is_email("a@b\n.example")


def test_waits_grow_and_end() -> None:
    waits = [Pace().wait("failed", failures, "a") for failures in (1, 2, 3, 4, 50)]
    assert waits == sorted(waits)
    assert 900 <= waits[0] <= 1080
    assert waits[-1] <= 86400 * 1.2
    assert Pace().wait("failed", 1, "a") != Pace().wait("failed", 1, "b")


def test_renewals_do_not_come_together() -> None:
    times = {renew_at(0, 90, 1 / 3, f"{number}.example") for number in range(20)}
    assert len(times) == 20
    assert all(57 <= time <= 60 for time in times)


def test_a_window_counts_an_hour() -> None:
    window = Window(2)
    window.seed([0.0, 10.0, 9e9])  # the last is of a clock that was wrong
    assert not Window(0).take(0)
    assert window.take(3605.0)
    assert not window.take(3606.0)
    assert window.take(3611.0)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"directory": "http://ca.example/dir"}, "https URL"),
        ({"email": "nobody"}, "admin@example.com"),
        ({"eab_kid": "x"}, "belong together"),
        ({"ca": "ca.pem"}, "absolute path"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        AcmeSettings(**settings)  # type: ignore[arg-type]
