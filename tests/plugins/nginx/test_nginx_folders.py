"""Folders that anybody may write to: whoever did could have nginx do what they like."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from skep import TemporaryError
from skep.testing import EmbeddedEngine
from skep_nginx.places.base import check_folder
from tests.plugins.nginx.nginx_tools import Backend, serving, until
from tests.plugins.nginx.nginx_variables import run


@pytest.mark.parametrize(
    ("mode", "fault"), [(0o755, False), (0o775, False), (0o777, True), (0o1777, True), (0o702, True)]
)
def test_a_folder_of_ours(tmp_path: Path, mode: int, *, fault: bool) -> None:
    tmp_path.chmod(mode)
    with (
        pytest.raises(TemporaryError, match=f"anybody may write to {tmp_path}, .*: chmod o-w {tmp_path}")
        if fault
        else nullcontext()
    ):
        check_folder(tmp_path)


@pytest.mark.parametrize(("mode", "fault"), [(0o755, False), (0o1777, False), (0o777, True)])
def test_one_that_it_is_in(tmp_path: Path, mode: int, *, fault: bool) -> None:
    """In /tmp, others cannot move what is not theirs."""
    inner = tmp_path / "nginx"
    inner.mkdir()
    tmp_path.chmod(mode)
    with pytest.raises(TemporaryError, match=f"chmod o-w {tmp_path}$") if fault else nullcontext():
        check_folder(inner)


async def test_nothing_starts_until_it_is_mended(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    run(node, "shop", one.port)
    folder.chmod(0o777)
    (folder / "nginx.conf").write_text("what anybody wrote there")
    async with serving(folder, node, retry=0.2) as served:
        await until(lambda: "anybody may write to" in served.status["error"])
        assert (folder / "nginx.conf").read_text() == "what anybody wrote there"
        assert served.counts["starts"] == 0
        folder.chmod(0o755)
        await served.answers("shop.example", 200, "one")
