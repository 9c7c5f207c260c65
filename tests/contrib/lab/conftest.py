"""The lab's own tests, most of which bring up real engines."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from contrib.lab.fixtures import _four_engines, _one_engine, cluster_lab, engine

__all__ = ["_four_engines", "_one_engine", "cluster_lab", "engine"]
