"""Which values an env file has, and under which names. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from skep import ConflictError, RequestError, Values, variables
from skep_envfile.settings import OnCollision, SelectSettings, SourceSettings

__all__ = ["Gathered", "merge", "select"]

_STEPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_POWERFUL = re.compile(
    r"LD_\w+|GCONV_PATH|PATH|IFS|ENV|BASH_ENV|BASH_FUNC_\w+|BASHOPTS|SHELLOPTS|PS4|PROMPT_COMMAND"
    r"|PYTHON(PATH|HOME|STARTUP|INSPECT|WARNINGS|BREAKPOINT)|PERL5?(LIB|OPT|DB)|RUBY(LIB|OPT)|NODE_(OPTIONS|PATH)"
    r"|(_JAVA|JAVA_TOOL|JDK_JAVA)_OPTIONS|CLASSPATH|DOTNET_STARTUP_HOOKS|CORECLR_\w+|COR_(PROFILER\w*|ENABLE_PROFILING)|PHPRC|PHP_INI_SCAN_DIR"
    r"|GLIBC_TUNABLES|OPENSSL_(CONF|ENGINES|MODULES)|GIT_(SSH|SSH_COMMAND|EXTERNAL_DIFF|CONFIG_\w+)|LESSOPEN|ZDOTDIR"
)
"""Variables that make programs run other code: whoever may name an output of a stack shall not choose that."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """Variables by name, sorted. `secret` are the names whose values no log and no table may show."""

    values: Mapping[str, str] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where each is from, for people: `stack: DbUrl`."""


def select(rules: SelectSettings, values: Values, origin: str = "", *, trusted: Collection[str] = ()) -> Gathered:
    """The variables that one answer gives, by the rules of its source. Lists have commas between.

    A name of `rename` is taken as it is; others get the prefix, and `_` for what no variable's name may have. Raises ConflictError where
    two would have one name, RequestError for a name that makes programs run other code, unless `include` or `rename` say it in full, or it is
    `trusted`.
    """
    found: dict[str, str] = {}
    origins: dict[str, str] = {}
    secret = set()
    for key in sorted(values):
        if not _wanted(key, rules):
            continue
        ((name, value),) = variables({_named(key, rules): values[key]}).items()
        said = key in rules.include or key in rules.rename or name in trusted
        if not said and _POWERFUL.fullmatch(name):
            raise RequestError(
                f"{_from(key, origin)} would be the variable {name}, which makes programs run other code; exclude it, rename it, or "
                f"name it in full in include"
            )
        if name in found:
            raise ConflictError(f"{origins[name]} and {_from(key, origin)} would both be the variable {name}")
        found[name], origins[name] = value, _from(key, origin)
        if key in values.secret:
            secret.add(name)
    unused = [f"there is no {key} to rename" for key in rules.rename if key not in values]
    return Gathered(dict(sorted(found.items())), frozenset(secret), tuple(unused), origins)


def _wanted(key: str, rules: SelectSettings) -> bool:
    wanted = not rules.include or any(fnmatchcase(key, each) for each in rules.include)
    return wanted and not any(fnmatchcase(key, each) for each in rules.exclude)


def _named(key: str, rules: SelectSettings) -> str:
    if key in rules.rename:
        return rules.rename[key]
    if isinstance(rules, SourceSettings) and rules.case == "upper_snake":
        key = _STEPS.sub("_", key).upper()
    return rules.prefix + key


def _from(key: str, origin: str) -> str:
    return f"{origin}: {key}" if origin else key


def merge(parts: Iterable[Gathered], on_collision: OnCollision = "refuse") -> Gathered:
    """The variables of several answers, in their order. Raises ConflictError where two have one name, unless told which has it."""
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    secret: set[str] = set()
    warnings: list[str] = []
    for part in parts:
        warnings += part.warnings
        for name, value in part.values.items():
            origin = part.origins.get(name, name)
            if name in values and on_collision == "refuse":
                raise ConflictError(f"{origins[name]} and {origin} would both be the variable {name}")
            if name in values and on_collision == "first":
                continue
            values[name], origins[name] = value, origin
            secret.discard(name)
            if name in part.secret:
                secret.add(name)
    return Gathered(dict(sorted(values.items())), frozenset(secret), tuple(warnings), origins)
