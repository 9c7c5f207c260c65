"""The lab: real Docker Engines, each on a host of its own, on one Linux machine. See README.md."""

from contrib.lab.aio import Host, Lab
from contrib.lab.article import ARTICLE
from contrib.lab.errors import LabError
from contrib.lab.sync import SyncHost, SyncLab

__all__ = ["ARTICLE", "Host", "Lab", "LabError", "SyncHost", "SyncLab"]
