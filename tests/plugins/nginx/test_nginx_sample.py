"""The sample is a reference: every setting, in the order of the code, with its default."""

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
