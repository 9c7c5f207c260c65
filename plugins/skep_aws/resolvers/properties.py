"""What a lookup is asked, read: texts, lists, truth values."""

from __future__ import annotations

from collections.abc import Mapping

from .calls import Place
from .errors import BAD_PROPERTY, Unresolved

__all__ = ["COMMON", "Properties", "bad"]

COMMON = {
    "Region": "The AWS region to look in; the front end's own unless said.",
    "RoleArn": "A role to take on first, as for another account.",
    "ExternalId": "What that role's trust policy demands.",
    "SessionName": "What that account's logs call us; skep unless said.",
    "Attributes": "Answer only these attributes; globs such as Subnet*.",
    "Nonce": "Means nothing; change it to have CloudFormation ask again.",
}
"""The properties that every lookup takes."""


def bad(name: str, text: str) -> Unresolved:
    """The error for a property that is wrong."""
    return Unresolved(BAD_PROPERTY, f"{name}: {text}")


class Properties:
    """The properties of one lookup."""

    def __init__(self, values: Mapping[str, str | list[str]]) -> None:
        self._values = values

    def text(self, name: str, default: str = "") -> str:
        """A property that is one text."""
        value = self._values.get(name, default)
        if not isinstance(value, str):
            raise bad(name, "expected one text, got a list")
        return value or default

    def list(self, name: str) -> list[str]:
        """A property that is a list, or a text with commas."""
        value = self._values.get(name, "")
        return [each for each in (value.split(",") if isinstance(value, str) else value) if each]

    def flag(self, name: str, *, default: bool) -> bool:
        """A property that is true or false."""
        return self.choice(name, ("true", "false"), "true" if default else "false") == "true"

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """A property that is one of a few words."""
        value = self.text(name, default).lower()
        if value not in choices:
            raise bad(name, f"expected {', '.join(choices)}; got {value!r}")
        return value

    def number(self, name: str, default: int = 0) -> int:
        """A property that is a whole number from 0."""
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise bad(name, f"expected a whole number, got {text!r}")
        return int(text)

    def family(self, prefix: str) -> dict[str, str]:
        """The properties that begin so, by the rest of their names: `Tag:` of `Tag:app`."""
        return {name.removeprefix(prefix): self.text(name) for name in self._values if name.startswith(prefix)}

    def place(self) -> Place:
        """Where to ask."""
        return Place(
            self.text("Region"), self.text("RoleArn"), self.text("ExternalId"), self.text("SessionName", "skep")
        )
