"""Everything that can be known to be wrong with settings before anything starts, all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from skep.agent.discovery import choose
from skep.engine.address import Address
from skep.engine.tls import TLS
from skep.errors import SettingsError
from skep.hooks import Plugin
from skep.plugins import PluginManager
from skep.settings import (
    PluginSettings,
    ServerTlsSettings,
    Settings,
    TlsSettings,
    load_settings,
    parse_settings,
)
from skep.settings.layers import lines, read

__all__ = ["Checked", "check_file", "check_tables", "plugin_settings_class"]


@dataclass(slots=True)
class Checked:
    """What a check found: the settings (None where they cannot be read), and all that is wrong."""

    settings: Settings | None = None
    errors: list[str] = field(default_factory=list)

    def right(self) -> Settings:
        """The settings. Raises SettingsError with all that is wrong, a line each."""
        if self.errors or self.settings is None:
            raise SettingsError("\n".join(self.errors))
        return self.settings


def check_file(path: Path, flags: Iterable[str] = ()) -> Checked:
    """Check a settings file, with the environment and the `--set` flags over it. Raises SettingsError where it cannot be read."""
    data, text = read(path)
    origins = {key: f"{path}, line {number}" for key, number in lines(text).items()}
    return _check(data, str(path), origins, partial(load_settings, path, flags=flags))


def check_tables(data: Mapping[str, Any], source: str) -> Checked:
    """Check settings that no file names: those of a command, which `source` is."""
    return _check(data, source, {}, partial(parse_settings, data, source=source))


def _check(data: Mapping[str, Any], source: str, origins: Mapping[str, str], parse: Callable[[], Settings]) -> Checked:
    checked = Checked(errors=list(_table_errors(data, partial(parse_settings, source=source, origins=origins))))
    try:
        settings = parse()
    except SettingsError as error:
        checked.errors += [str(error)] if str(error) not in checked.errors else []
        return checked
    checked.settings = settings
    plugins = PluginManager(settings, strict=False)
    for row in plugins.report():
        if row["status"] == "broken":
            checked.errors.append(row["error"])
    backends = {name: each for _, found in plugins.contributions("discovery_backends") for name, each in found.items()}
    checked.errors += _raised(partial(choose, settings.cluster, backends), settings.source)
    checked.errors += _place_errors(settings)
    return checked


def _table_errors(data: Mapping[str, Any], parse: Callable[[Mapping[str, Any]], Settings]) -> Iterator[str]:
    for name, table in data.items():
        if name == "plugins" and isinstance(table, Mapping):
            for plugin, own in table.items():
                yield from _errors_of(own, ("plugins", plugin), parse)
        else:
            yield from _errors_of(table, (name,), parse)


def _errors_of(table: Any, path: tuple[str, ...], parse: Callable[[Mapping[str, Any]], Settings]) -> list[str]:
    """The errors of one table: of each key alone, else of the whole."""
    try:
        parse(_nested(table, path))
    except SettingsError as error:
        alone: list[str] = []
        for key, value in table.items() if isinstance(table, Mapping) else ():
            try:
                parse(_nested({key: value}, path))
            except SettingsError as found:
                alone.append(str(found))
        return alone or [str(error)]
    return []


def _nested(value: Any, path: tuple[str, ...]) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return value  # type: ignore[no-any-return]


def plugin_settings_class(plugin: object) -> type[PluginSettings]:
    """The class of a plugin's own settings."""
    return plugin.Settings if isinstance(plugin, type) and issubclass(plugin, Plugin) else PluginSettings


def _place_errors(settings: Settings) -> Iterator[str]:
    cluster, http, source = settings.cluster, settings.http, settings.source
    for address in cluster.engines:
        secure = cluster.tls is not None and not address.startswith("unix://")
        yield from _raised(partial(Address.parse, address, secure=secure), f"{source}: cluster.engines")
    for address in http.listen:
        yield from _raised(partial(Address.parse_listen, address), f"{source}: http.listen")
    for tls, key in ((cluster.tls, "cluster.tls"), (http.tls, "http.tls")):
        if tls is not None:
            yield from _raised(partial(_load, tls), f"{source}: {key}")


def _load(tls: TlsSettings | ServerTlsSettings) -> None:
    ca, cert, key = (Path(each) if each else None for each in (tls.ca, tls.cert, tls.key))
    TLS(ca=ca, cert=cert, key=key).ssl_context()


def _raised(call: Callable[[], object], where: str) -> Iterator[str]:
    try:
        call()
    except SettingsError as error:
        yield f"{where}: {error}"
