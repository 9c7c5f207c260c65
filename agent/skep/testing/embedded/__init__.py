"""A Docker Engine without Docker: simulated containers behind the real Engine API.

`engine` is what tests use. Beneath it, from the bottom up: `state` (what an engine knows), `events`, `output`
and `programs` (what processes write, scripted), `networking`, `creation` and `lifecycle` (what happens to
containers), `views` (as the API shows them), `faults`, and `server` with `api/` (a file per subject).
"""

from skep.testing.embedded.engine import EmbeddedEngine
from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.events import Event
from skep.testing.embedded.faults import Fault, Faults

__all__ = ["EmbeddedEngine", "EngineError", "Event", "Fault", "Faults"]
