"""Regular expressions of containers in a real nginx: the slowest that are taken keep nobody from being answered."""

import time
from pathlib import Path

from skep.testing import EmbeddedEngine
from skep_nginx.hosts import REGEX_EFFORT, REGEX_LENGTH
from skep_nginx.patterns import effort
from tests.plugins.nginx.nginx_tools import Backend, ask, serving, until

SLOW = (
    r"^.*.*.*[!=]",
    r"^[a-z]*[a-z.-]*\w*[!=]",
    r".*.*[!=]",
    r"^(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.)(.|.).*[!=]",
    r"^.?.?.?.?.?.*.*[!=]",
    r"^(.*|a*)(.*|a*)(.*|a*)[!=]",
)
WORST = ("a" * REGEX_LENGTH, "a" * 253, "a." * 64, "www-12.late.example")


def test_the_effort_is_that_of_trying() -> None:
    assert effort(r"^www\.[a-z]\.example$", 128) == 1
    assert effort(r"^(?:www|api|shop)?\.example$", 128) == 6
    assert effort(r"^\d+\.example$", 128) == effort(r"^\d{1,3}\.example$", 128) == 128
    assert effort(r"\.example$", 128) == 128
    assert effort(r"^.*-.*\.example$", 128) == 128 * 64
    assert effort(r"^(a.*|b.*)\.example$", 128) == 256
    assert effort(r"^a{3}b{2}$", 128) == 1


async def test_slow_regular_expressions_of_hosts(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    taken = 0
    for number, pattern in enumerate(SLOW):
        slow = f"~{pattern}{number}$"
        taken += effort(slow[1:], REGEX_LENGTH) <= REGEX_EFFORT
        node.run(f"slow{number}", env={"VIRTUAL_HOST": slow}, NetworkMode="host")
    assert taken >= 4
    late = {"VIRTUAL_HOST": r"~^www-\d+\.late\.example$", "VIRTUAL_PORT": str(one.port)}
    node.run("late", env=late, NetworkMode="host")
    async with serving(folder, node) as served:
        await served.answers("www-12.late.example", 200, "one")
        await until(lambda: len(served.status["sites"]) == taken + 1)
        for host in WORST:
            times = []
            for _ in range(3):
                began = time.monotonic()
                status, _ = await ask(served.port, host)
                assert status == (200 if "late" in host else 503), host
                times.append(time.monotonic() - began)
            assert min(times) < 0.5, host


async def test_slow_regular_expressions_of_paths(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    """A path that they are not tried on is refused: it could lead round what one of them keeps."""
    own = {"VIRTUAL_HOST": "shop.example"}
    for number, pattern in enumerate((r"~^/.*.*[!=]", r"~*.*[!=]", r"~^/\w*\w*[!=]")):
        node.run(f"slow{number}", env={**own, "VIRTUAL_PATH": f"{pattern}{number}$"}, NetworkMode="host")
    guarded = {**own, "VIRTUAL_PATH": "~^/admin", "VIRTUAL_PORT": str(one.port)}
    node.run("admin", env=guarded, NetworkMode="host")
    node.run("shop", env={**own, "VIRTUAL_PORT": str(two.port)}, NetworkMode="host")
    async with serving(folder, node) as served:
        await served.answers("shop.example", 200, "two")
        await until(lambda: len(served.status["sites"].get("shop.example", ())) == 5)
        for path, status, name in (
            ("/" + "a" * 1023, 200, "two"),
            ("/admin" + "a" * 1018, 200, "one"),
            ("/admin%0a", 200, "one"),
            ("/admin" + "a" * 1019, 414, ""),
            ("/%0aadmin" + "a" * 1100, 414, ""),
        ):
            began = time.monotonic()
            found = await ask(served.port, "shop.example", path)
            assert (found[0], found[1][: len(name)]) == (status, name), path[:10]
            assert time.monotonic() - began < 1
