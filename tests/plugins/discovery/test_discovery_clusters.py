"""What the token service remembers, and for how long."""

from __future__ import annotations

import pytest

from skep import NotFoundError, RequestError
from skep_discovery.clusters import LONGEST_TTL, Clusters


def test_an_address_is_known_for_its_time(clusters: Clusters, clock) -> None:  # type: ignore[no-untyped-def]
    token = clusters.create()
    clusters.register(token, "b:1", 60)
    clusters.register(token, "a:1", 30)
    assert clusters.addresses(token) == ["a:1", "b:1"]
    clock.now += 30
    assert clusters.addresses(token) == ["b:1"]
    clusters.register(token, "b:1", 60)
    clock.now += 59
    assert clusters.addresses(token) == ["b:1"]
    clock.now += 1
    assert clusters.addresses(token) == []


def test_tokens_are_long_and_differ(clusters: Clusters) -> None:
    tokens = {clusters.create() for _ in range(3)}
    assert len(tokens) == 3
    assert all(len(token) == 32 and int(token, 16) >= 0 for token in tokens)


def test_a_token_that_was_not_made_here_is_not_found(clusters: Clusters) -> None:
    with pytest.raises(NotFoundError):
        clusters.addresses("0" * 32)
    with pytest.raises(NotFoundError):
        clusters.register("0" * 32, "a:1", 60)


@pytest.mark.parametrize("ttl", [0, -1, LONGEST_TTL + 1])
def test_a_ttl_out_of_bounds_is_refused(clusters: Clusters, ttl: int) -> None:
    with pytest.raises(RequestError, match="ttl"):
        clusters.register(clusters.create(), "a:1", ttl)


@pytest.mark.parametrize("address", ["", "a", "a:0", "http://a:1", "10.0.0.[1:3]:1", "a:1\nb:1"])
def test_a_bad_address_is_refused(clusters: Clusters, address: str) -> None:
    with pytest.raises(RequestError, match="address"):
        clusters.register(clusters.create(), address, 60)


def test_too_many_addresses_are_refused_until_one_expires(clusters: Clusters, clock) -> None:  # type: ignore[no-untyped-def]
    token = clusters.create()
    for name in "abc":
        clusters.register(token, f"{name}:1", 60)
    with pytest.raises(RequestError, match="3 addresses") as refused:
        clusters.register(token, "d:1", 60)
    assert refused.value.status == 409
    clusters.register(token, "a:1", 120)
    clock.now += 60
    clusters.register(token, "d:1", 60)
    assert clusters.addresses(token) == ["a:1", "d:1"]


def test_a_flood_of_tokens_pushes_out_unused_ones_only(clusters: Clusters) -> None:
    used = clusters.create()
    clusters.register(used, "a:1", 60)
    unused = clusters.create()
    for _ in range(10):
        clusters.create()
    assert clusters.addresses(used) == ["a:1"]
    with pytest.raises(NotFoundError):
        clusters.addresses(unused)


def test_when_all_are_in_use_a_new_one_is_refused(clusters: Clusters) -> None:
    for _ in range(3):
        clusters.register(clusters.create(), "a:1", 60)
    with pytest.raises(RequestError, match="3 clusters") as refused:
        clusters.create()
    assert refused.value.status == 503


def test_another_process_takes_the_state_up(clusters: Clusters, clock) -> None:  # type: ignore[no-untyped-def]
    token = clusters.create()
    clusters.register(token, "a:1", 60)
    clock.now += 50
    other = Clusters(clock=clock)
    other.load(clusters.dump())
    clock.now += 59
    assert other.addresses(token) == ["a:1"]
    clock.now += 1
    assert other.addresses(token) == []


def test_renewals_are_no_change_that_must_be_saved(clusters: Clusters) -> None:
    token = clusters.create()
    clusters.register(token, "a:1", 60)
    version = clusters.version
    clusters.register(token, "a:1", 60)
    assert clusters.version == version
