"""Each format's reader has exactly the values, or the variable is refused by its name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep import ConflictError, RequestError
from skep_envfile.formats import chunks, fit, write
from skep_envfile.settings import Format
from skep_envfile.values import Gathered
from tests.plugins.envfile import envfile_readers as readers

NAMES = st.from_regex(r"V_[A-Za-z0-9_]{0,10}", fullmatch=True)
# fmt: off
NASTY = st.sampled_from([
    "$HOME", "${HOME}", "$(id)", "`id`", "'", '"', "\\", "\\'", '\\"', "\\n", " #", "=", "\n", "\nX=1", "'\nX='1", '"\nX="1', "\r", "\r\n", "\t",
    " ", "\0", "\x01", "\x7f", "\x85", "\u2028", "\ufeff", "é", "😀", "$$", "%s", "!", ";id;", "\\\n",
])
# fmt: on
VALUES = st.lists(NASTY | st.text(max_size=5), max_size=8).map("".join)
VARIABLES = st.dictionaries(NAMES, VALUES, max_size=6)

READERS: dict[str, Callable[[bytes], dict[str, str]]] = {
    "docker": readers.read_docker,
    "compose": readers.read_compose,
    "systemd": readers.read_systemd,
    "json": readers.read_json,
}


def held(values: dict[str, str], form: Format) -> tuple[dict[str, str], bytes]:
    """Those of the values that the format takes, and the file of them; of the others that each is refused by its name."""
    policy = "refuse" if form == "docker" else "escape"
    kept = {}
    for name, value in values.items():
        try:
            write(fit(Gathered({name: value}), form, policy).values, form)  # type: ignore[arg-type]
        except RequestError as error:
            refusal = str(error)
        else:
            refusal = ""
            kept[name] = value
        assert not refusal or refusal.startswith(f"{name} ")
    return kept, write(kept, form, "a title")


@pytest.mark.parametrize("form", READERS)
@given(values=VARIABLES)
def test_the_reader_has_exactly_the_values(form: Format, values: dict[str, str]) -> None:
    kept, data = held(values, form)
    assert READERS[form](data) == kept
    assert list(chunks(data, form)) == list(kept)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(values=VARIABLES)
def test_systemds_own_reader_agrees_where_it_is_at_hand(tmp_path: Path, values: dict[str, str]) -> None:
    """It also puts variables in, so that `$` is written twice; it passes over empty ones, and prints others for a shell."""
    plain = {name: value.translate({9: None, 10: None}).replace("$", "$$") for name, value in values.items()}
    kept = {name: value for name, value in held(plain, "systemd")[0].items() if value}
    data = write(kept, "systemd")
    assert readers.read_systemd(data) == kept
    if readers.SYSTEMD.exists():
        read = readers.read_systemd_itself(data, tmp_path)
        assert read == {name: value.replace("$$", "$") for name, value in kept.items()}


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(values=VARIABLES)
def test_shells_have_exactly_the_values(shell: str, tmp_path: Path, values: dict[str, str]) -> None:
    kept, data = held(values, "shell")
    assert readers.read_shell(data, shutil.which(shell) or shell, tmp_path) == kept
    assert list(chunks(data, "shell")) == list(kept)


@pytest.mark.parametrize("form", ["compose", "systemd", "shell", "json"])
@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_what_these_formats_can_hold_they_take(form: Format, value: str) -> None:
    controls = form == "systemd" and any((ord(each) < 32 and each not in "\t\n") or each == "\x7f" for each in value)
    backslash = form == "compose" and value.endswith("\\")
    kept, _ = held({"V": value}, form)
    assert (kept == {}) is (controls or backslash)


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        ("docker", "a\nb", "V has several lines; on_multiline says what becomes of it: skip and base64"),
        ("compose", "a\rb", "V has several lines; on_multiline says what becomes of it: skip, escape and base64"),
        ("json", "a\0b", "V holds a NUL"),
        ("compose", "C:\\", "V ends with a backslash"),
        ("shell", "\udc80", "V is not Unicode"),
        ("docker", "x" * 65533, "V takes 65535 bytes; docker reads lines of 65534 at most"),
        ("json", "x" * 131_070, "V takes 131072 bytes, of 131071 that a process can be handed"),
        ("systemd", "a\x1bb", "V holds the control character '\\x1b'; systemd would leave the variable out"),
    ],
)
def test_refusals_name_the_variable_and_show_no_value(form: Format, value: str, text: str) -> None:
    with pytest.raises(RequestError) as caught:
        write(fit(Gathered({"V": value}), form, "refuse").values, form)
    assert text in str(caught.value)


def test_names_that_bash_cannot_set_are_refused_for_shells_alone() -> None:
    assert b"UID=5" in write({"UID": "5"}, "docker")
    with pytest.raises(RequestError, match="UID cannot be set in bash"):
        write({"UID": "5"}, "shell")


def test_several_lines_by_policy() -> None:
    found = Gathered({"A": "1", "K": "a\nb"}, frozenset({"K"}))
    skipped = fit(found, "docker", "skip")
    assert (skipped.values, skipped.secret) == ({"A": "1"}, frozenset())
    assert skipped.warnings == ("K has several lines, and is left out",)
    encoded = fit(found, "docker", "base64")
    assert (encoded.values, encoded.secret) == ({"A": "1", "K_B64": "YQpi"}, frozenset({"K_B64"}))
    assert fit(found, "json", "escape") == found
    with pytest.raises(ConflictError, match="K in base64 would be the variable K_B64, which there is"):
        fit(Gathered({"K": "a\nb", "K_B64": "x"}), "docker", "base64")


@given(st.binary(max_size=200))
@pytest.mark.parametrize("form", ["docker", "compose", "systemd", "shell", "json"])
def test_any_bytes_may_be_in_the_old_file(form: Format, data: bytes) -> None:
    assert all(isinstance(each, str) for each in chunks(data, form).values())
