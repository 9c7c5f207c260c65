"""The sample names every setting with its default, and the README every setting."""

import re
import tomllib
from pathlib import Path

import msgspec

import skep_nginx
from skep_nginx import NginxSettings

FOLDER = Path(skep_nginx.__file__).parent


def test_the_sample_has_every_setting_with_its_default() -> None:
    text = (FOLDER / "sample.toml").read_text()
    uncommented = "\n".join(re.sub(r"^#(?=\[|[a-z_]+ = )", "", line) for line in text.splitlines())
    table = tomllib.loads(uncommented)["plugins"]["nginx"]
    assert msgspec.convert(table, NginxSettings) == NginxSettings()
    assert list(table) == [field.encode_name for field in msgspec.structs.fields(NginxSettings)]


def test_the_readme_has_every_setting() -> None:
    text = (FOLDER / "README.md").read_text()
    missing = [name for name in NginxSettings.__struct_fields__ if f"`{name}" not in text]
    assert missing == []
