"""The mark of a hook's implementation in a module; a class that derives from `Plugin` needs none."""

import pluggy

__all__ = ["hookimpl"]

hookimpl = pluggy.HookimplMarker("skep")
