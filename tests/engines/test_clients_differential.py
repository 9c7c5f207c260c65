"""One engine behind the endpoint is as that engine itself: every call is answered the same, but for what is listed here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contrib.lab import Host
from tests.engines.clients import serving_engines
from tests.engines.differential import compared
from tests.engines.differential_calls import SCRIPTS

# What cannot be read is the client's mistake, as newer engines say, too.
UNREADABLE = r"status 500 -> 400: .*(?:invalid (?:character|syntax)|EOF)"
WORDS = r"body\.message: .*(?:[Ii]nvalid (?:filter|character)|filters?:)"
SWARM_ID = r"Labels\.com\.docker\.swarm\.id: \(none\) -> ID$"
NODE = r"body\.Node: \(none\) ->"

INTENDED: dict[str, tuple[str, ...]] = {
    "containers": (
        UNREADABLE,
        WORDS,
        SWARM_ID,
        NODE,
        r"before=nope\n.*status 200 -> 404",
        r'"since":\["nope"\].*\n.*status 500 -> 404',
        r"create {}\n.*'Config cannot be empty.* -> 'No command specified'",
        r"node engine cannot pull it",  # a cluster's nodes pull by themselves
        r"invalid port 'x': expected a number",
        r"status 400 -> 500: .*Unable to find a node",  # links and volumes-from are placed
        r"'Conflict\. .* -> 'Conflict: The name web is already assigned",  # as from Swarm
        r"containers//json\n.*status 200 -> 404",
        r"Cannot kill container: other: .* -> 'Cannot kill container: ID: ",
        r"nope/kill\n.*-> 'No such container: nope'",
        r"nope/attach\?stdout=1\n",  # in JSON, as newer engines do
    ),
    "execs": (WORDS,),
    "files": (r"in container web' -> '.* in container ID'",),
    "images": (
        UNREADABLE,
        WORDS,
        r"Containers: -1 -> 0",  # they are known
        r"-> 'No such image: nope:latest'",
        r"BAD:::name/json\n.*status 400 -> 404",
        r"push\n.*status 400 -> 404: .*missing X-Registry-Auth",
        r"no Host in request URL.* -> .*expected fromImage=NAME",
        r"Unable to find a healthy engine containing all images",
    ),
    "builds": (r"invalid buildargs",),
    "networks": (
        UNREADABLE,
        WORDS,
        SWARM_ID,
        NODE,
        r"status 500 -> 400: .*(?:'type'|invalid name: )",
        r"already exists, on node engine",
        r"expected a container.{1,2}s name",
    ),
    "volumes": (WORDS, SWARM_ID, NODE),
    "system": (
        UNREADABLE,
        r"header Builder-Version: None -> 1",
        r"(?:POST /_ping|nope|DELETE /info)\n.*header .*: None -> ",  # every answer says what is spoken
        r"status 400 -> 200: .*client version 1\.\d+ is too",  # nodes differ, and each is spoken to in what it knows
    ),
}
"""By subject, patterns of a call and its difference."""


@pytest.mark.parametrize("subject", SCRIPTS)
async def test_one_engine_answers_as_itself(subject: str, engine: Host, tmp_path: Path) -> None:
    def clean() -> None:
        engine.sync.reset()
        engine.sync.docker("image", "prune", "--force")

    async with serving_engines({engine.name: engine}, tmp_path) as served:
        found = await compared(f"unix://{engine.socket}", served.url, SCRIPTS[subject], clean)
    patterns = [re.compile(pattern) for pattern in INTENDED[subject]]
    assert [each for each in found if not any(pattern.search(each) for pattern in patterns)] == []
    assert [each.pattern for each in patterns if not any(map(each.search, found))] == []
