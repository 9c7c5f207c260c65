"""What the operator mends is tried at once: nobody waits for what nginx refused before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skep.testing import EmbeddedEngine
from skep_nginx.files import read_files
from tests.plugins.nginx.nginx_tools import Backend, serving, until
from tests.plugins.nginx.nginx_variables import run


def _of_the_site(folder: Path) -> None:
    (folder / "vhosts/shop.example").write_text("add_header X-Mended yes;\n")


def _around_all(folder: Path) -> None:
    (folder / "http.d/zones.conf").write_text("limit_req_zone $binary_remote_addr zone=few:1m rate=100r/s;\n")


@pytest.mark.parametrize("mend", [_of_the_site, _around_all])
async def test_who_was_refused_for_a_file_is_back_when_it_is_mended(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend, mend: Callable[[Path], None]
) -> None:
    for name in ("vhosts", "http.d"):
        (folder / name).mkdir()
    (folder / "vhosts/shop.example").write_text("limit_req zone=few;\n")  # which nobody has defined
    run(node, "shop", one.port)
    own: dict[str, Any] = {"vhost_files": str(folder / "vhosts"), "include": str(folder / "http.d/*.conf")}
    async with serving(folder, node, **own) as served:
        await until(lambda: served.status["left_out"])
        [out] = served.status["left_out"]
        assert (out["container"], out["by"]) == ("shop", "nginx")
        mend(folder)
        run(node, "other", two.port)  # a look, before the one of each half minute
        await served.live("other.example", "shop.example")
        await served.answers("shop.example", 200, "one")


def test_files_that_a_pattern_names_are_known_by_what_is_in_them(tmp_path: Path) -> None:
    pattern = str(tmp_path / "*.conf")
    seen = [read_files("", "", [pattern]).version]
    for change in (
        lambda: (tmp_path / "a.conf").write_text("one"),
        lambda: (tmp_path / "a.conf").write_text("three"),
        lambda: (tmp_path / "b.conf").symlink_to("gone"),
        lambda: (tmp_path / "b.conf").unlink(),
        lambda: (tmp_path / "a.conf").unlink(),
    ):
        change()
        (tmp_path / "other").write_text("not ours")
        seen.append(read_files("", "", [pattern]).version)
    assert seen[0] == seen[-1] == ""
    assert seen[2] == seen[4]
    assert len(set(seen)) == 4
