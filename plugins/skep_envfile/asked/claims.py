"""Labels that would have a container recreated with a file's values: a container asks by them, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from skep import ContainerCreating, DeniedError
from skep_envfile.actions.settings import FILE_LABEL, is_labelled
from skep_envfile.asked.allowed import FILES, Allowed

if TYPE_CHECKING:
    from skep_envfile.settings import FileSettings

__all__ = ["check_claims"]


def check_claims(files: Mapping[str, FileSettings], allowed: Allowed, creating: ContainerCreating) -> None:
    """Raises DeniedError (403) where a container's labels are those of a file's action `recreate`, and `ask` does not allow that.

    So are the names of files that there are not: there may be one tomorrow, with values for whoever named it in time.
    """
    labels = creating.request.container.labels
    for name, file in files.items():
        for action in file.on_change:
            if action.do == "recreate" and is_labelled(labels, name, action.label) and not allowed.gives(name):
                raise DeniedError(
                    f"label {action.label or FILE_LABEL}: containers with it are given the values of the file {name}, and may not ask for "
                    f'them; the setting ask of the plugin envfile would allow it: ask = ["{FILES}=={name}"]'
                )
    for named in filter(None, map(str.strip, labels.get(FILE_LABEL, "").split(","))):
        if named not in files and not allowed.gives(named):
            raise DeniedError(
                f"label {FILE_LABEL}: there is no file {named[:80]} here; there are {', '.join(sorted(files)) or 'none'}. Where another agent "
                f'has it, the setting ask of the plugin envfile allows its name: ask = ["{FILES}=={named[:80]}"]'
            )
