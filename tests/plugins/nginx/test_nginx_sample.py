"""The sample is a reference: every setting, in the order of the code, with its default."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

import skep_nginx
from skep import Agent, SettingsError, load_settings
from skep_nginx import NginxSettings

FOLDER = Path(skep_nginx.__file__).parent


def test_the_sample_has_every_setting_with_its_default() -> None:
    text = (FOLDER / "sample.toml").read_text()
    uncommented = "\n".join(re.sub(r"^#(?=\[|[a-z0-9_]+ = )", "", line) for line in text.splitlines())
    table = tomllib.loads(uncommented)["plugins"]["nginx"]
    assert msgspec.convert(table, NginxSettings) == NginxSettings()
    assert list(table) == [field.encode_name for field in msgspec.structs.fields(NginxSettings)]


@pytest.mark.parametrize("key", ["longest", "verify_timeout", "retry", "drain", "stop_timeout"])
def test_durations_are_read_as_everywhere(key: str, tmp_path: Path) -> None:
    file = tmp_path / "skep.toml"
    file.write_text(f'[plugins.nginx]\n{key} = "1m"\n')
    plugin = Agent(load_settings(file)).plugins.plugins["nginx"]
    assert getattr(plugin.settings, key) == 60
    file.write_text(f'[plugins.nginx]\n{key} = "soon"\n')
    with pytest.raises(
        SettingsError, match=rf'plugins.nginx.{key}: expected seconds, .* such as 2.5, "10s" or "1m", got "soon"'
    ):
        Agent(load_settings(file))
