"""Which lookups containers may ask: whoever may create a container could else read all that the agent may read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from skep import DeniedError, ExpressionError, SettingsError
from skep_envfile.asked.entries import AskedEntry, read_entry

__all__ = ["FILES", "Allowed"]

FILES = "envfile"
"""What stands for the env files themselves in `ask`."""


class Allowed:
    """What the setting `ask` allows.

    `stack` allows a lookup with all that it can be asked. `ssm==/prod/web/*` allows values that the glob fits, and no further property;
    `stack==prod-*?Region=eu-*` those properties besides, each with values that its glob fits. Lookups take a comma for the next of a list,
    so of a value with commas each part must fit, one of the globs between the setting's commas. Raises SettingsError for another one.
    """

    def __init__(self, setting: Iterable[str]) -> None:
        self._whole: set[str] = set()
        self._parts: list[AskedEntry] = []
        for each in setting:
            if "=" not in each and "?" not in each:
                self._whole.add(each)
                continue
            try:
                self._parts.append(read_entry(each))
            except ExpressionError as error:
                raise SettingsError(f"ask: {error.found_in('entry', 'the name of a lookup, or one==GLOB')}") from None

    def gives(self, file: str) -> bool:
        """Whether containers may ask for an env file's values by their labels: `envfile==prod`, as though that were a lookup."""
        return self._has(AskedEntry(f"{FILES}=={file}", FILES, file))

    def _has(self, entry: AskedEntry) -> bool:
        return entry.lookup in self._whole or any(_fits(each, entry) for each in self._parts)

    def check(self, entry: AskedEntry) -> None:
        """Raises DeniedError (403), saying which setting would allow it, unless the entry may be asked."""
        if self._has(entry):
            return
        known = sorted(self._whole | {each.text for each in self._parts})
        raise DeniedError(
            f"from:{entry.text}: containers may not ask this of the lookup {entry.lookup}; the setting ask of the plugin envfile says what "
            f'they may ({", ".join(known) or "nothing"}): ask = ["{entry.lookup}"] allows all of it'
        )


def _fits(allowed: AskedEntry, entry: AskedEntry) -> bool:
    globs: Mapping[str, str] = {name.casefold(): glob for name, glob in allowed.further}
    return (
        allowed.lookup == entry.lookup
        and _fit(entry.value, allowed.value)
        and all(name.casefold() in globs and _fit(value, globs[name.casefold()]) for name, value in entry.further)
    )


def _fit(value: str, globs: str) -> bool:
    return all(any(fnmatchcase(part, glob) for glob in globs.split(",")) for part in value.split(","))
