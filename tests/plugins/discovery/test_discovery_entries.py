"""Entries and patterns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep_discovery.entries import MOST_ENTRIES, expand, parse_entries, parse_entry


@pytest.mark.parametrize(
    ("pattern", "entries"),
    [
        ("10.0.0.[1:3]:2375", ["10.0.0.1:2375", "10.0.0.2:2375", "10.0.0.3:2375"]),
        ("192.168.1.2:[2:4]375", ["192.168.1.2:2375", "192.168.1.2:3375", "192.168.1.2:4375"]),
        ("node[01:03]:2375", ["node1:2375", "node2:2375", "node3:2375"]),
        ("n[7:7]:1", ["n7:1"]),
        ("n[-1:1]:1", ["n-1:1", "n0:1", "n1:1"]),
        ("100%[1:2]d:1", ["100%1d:1", "100%2d:1"]),
        ("127.0.0.[1]", ["127.0.0.[1]"]),
        ("[x:11]", ["[x:11]"]),
        ("[1:x]", ["[1:x]"]),
        ("a[1:2]b[3:4]:5", ["a[1:2]b[3:4]:5"]),
        ("[2001:db8::1]:2375", ["[2001:db8::1]:2375"]),
        ("plain:1", ["plain:1"]),
    ],
)
def test_a_pattern_stands_for_what_swarm_made_of_it(pattern: str, entries: list[str]) -> None:
    assert expand(pattern) == entries


def test_an_empty_range_is_named_instead_of_being_no_engine_at_all() -> None:
    with pytest.raises(ValueError, match=r"the range \[3:1\] is empty"):
        expand("10.0.0.[3:1]:2375")


def test_a_range_is_bounded_before_it_is_made() -> None:
    with pytest.raises(ValueError, match=f"more than {MOST_ENTRIES}"):
        expand("10.0.0.[1:9999999999]:2375")


@pytest.mark.parametrize("text", ["a:1", "10.0.0.1:65535", "[::1]:2375", "[fe80::1%eth0]:1", "my_host.example:80"])
def test_good_entries(text: str) -> None:
    assert parse_entry(text) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("host", "not of the form host:port"),
        ("host:", "not a port"),
        ("host:0", "not a port"),
        ("host:65536", "not a port"),
        ("host:²", "not a port"),
        (":2375", "not a host name"),
        ("::1:2375", "not of the form"),
        ("[::z]:1", "not an IPv6 address"),
        ("a b:1", "not a host name"),
        ("tcp://h:1", "not of the form"),
        ("h:1/path", "not a port"),
        ("-h:1", "not a host name"),
        ("\x1b[31mh:1", "not of the form|not a host"),
        ("x" * 300 + ":1", "not a host name"),
    ],
)
def test_bad_entries_are_named(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_entry(text)


def test_a_list_keeps_its_order_and_each_entry_once() -> None:
    assert parse_entries([" b:1 ", "", "a:1", "b:1", "a:[1:2]"]) == ["b:1", "a:1", "a:2"]


def test_a_list_is_bounded_over_all_its_patterns() -> None:
    with pytest.raises(ValueError, match="more than"):
        parse_entries(["a:[1:9000]", "b:[1:9000]"])


@given(st.text(max_size=60))
def test_whatever_the_text_it_is_an_entry_or_named_wrong(text: str) -> None:
    try:
        entries = parse_entries([text])
    except ValueError:
        return
    assert all(parse_entry(entry) == entry for entry in entries)
