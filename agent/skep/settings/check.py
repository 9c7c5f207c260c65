"""From data to a settings type: every key known, every value of its type, the complaint in an operator's words."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct

from skep.errors import SettingsError
from skep.settings.values import Text, arms, expected, found, is_seconds, parse_duration, plain, unwrap

__all__ = ["Check", "nearest"]

T = TypeVar("T", bound=Struct)


def nearest(word: str, known: Collection[str]) -> str:
    """What to say of an unknown word."""
    import difflib  # here: only mistakes need it, and every idle agent would hold it

    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known)) or 'none'}"


class Check:
    """Checks data that came from `source`; `origins` says of dotted keys where exactly (a line, a variable, a flag)."""

    def __init__(self, source: str, origins: Mapping[str, str]) -> None:
        self._source = source
        self._origins = origins

    def fail(self, key: str, complaint: str) -> NoReturn:
        """Raise SettingsError: where, which key, what is wrong."""
        raise SettingsError(f"{self._where(key)}: {key + ': ' if key else ''}{complaint}") from None

    def _where(self, key: str) -> str:
        below = next((origin for known, origin in self._origins.items() if known.startswith(f"{key}.")), self._source)
        while key:
            if key in self._origins:
                return self._origins[key]
            key = key.rpartition(".")[0]
        return below

    def table(
        self, data: object, kind: type[T], key: str = "", *, hidden: Collection[str] = (), also: Collection[str] = ()
    ) -> T:
        """Build a table. Fields in `hidden` cannot be said; keys in `also` are the caller's, and only named as near ones."""
        if isinstance(data, Text):
            data = data.toml()
        if not isinstance(data, Mapping):
            self.fail(key, f"expected a table, [{key}], got {found(data, kind)}")
        hints = get_type_hints(kind, include_extras=True)
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind) if field.name not in hidden}
        values: dict[str, Any] = {}
        for name, value in data.items():
            below = f"{key}.{name}" if key else name
            if name not in fields:
                self.fail(below, f"unknown key: {nearest(name, {*fields, *also})}")
            values[fields[name].name] = self.value(value, hints[fields[name].name], below)
        for name, field in fields.items():
            if field.name not in values and field.default is NODEFAULT and field.default_factory is NODEFAULT:
                self.fail(f"{key}.{name}" if key else name, f"missing: expected {expected(hints[field.name])}")
        try:
            return kind(**values)
        except (ValueError, TypeError) as error:  # of the type's own __post_init__
            self.fail(key, str(error))

    def value(self, value: Any, kind: Any, key: str) -> Any:
        """Check one value of any type."""
        base, _ = unwrap(kind)
        options = arms(base)
        if isinstance(value, Text):
            value = value.text() if str in options else value.toml()
        if is_seconds(kind) and isinstance(value, str):
            value = parse_duration(value) or value
        if isinstance(value, float) and not math.isfinite(value):
            self.fail(key, f"expected {expected(kind)}, got {value}")
        option = options[0] if len(options) == 1 else Any
        if option is not base and option is not Any and unwrap(option) != (option, ()):
            return self.value(value, option, key)  # `Seconds | None`
        if isinstance(option, type) and issubclass(option, Struct):
            return self.table(value, option, key)
        value = self._items(value, option, key)
        try:
            return msgspec.convert(value, kind, dec_hook=_decode)
        except msgspec.ValidationError:
            self.fail(key, f"expected {expected(kind)}, got {found(value, kind)}")

    def _items(self, value: Any, kind: Any, key: str) -> Any:
        """Check what a list or a table of values holds."""
        arguments = get_args(kind)
        if isinstance(value, Mapping) and len(arguments) == 2 and _is_a(kind, Mapping):
            return {name: self.value(each, arguments[1], f"{key}.{name}") for name, each in value.items()}
        if isinstance(value, list) and arguments and _is_a(kind, Collection):
            return [self.value(each, arguments[0], f"{key}[{number}]") for number, each in enumerate(value)]
        return plain(value)


def _is_a(kind: Any, base: type) -> bool:
    origin = get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, base)


def _decode(kind: type, value: Any) -> Any:
    """Types that msgspec does not know, in plugins' settings."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"a setting cannot be a {cast('object', kind)}")
