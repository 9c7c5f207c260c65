"""Env files of looked-up values, kept true; and looked-up values for containers that ask for them at create."""

from __future__ import annotations

from skep_envfile.plugin import EnvFilePlugin
from skep_envfile.settings import EnvFileSettings, FileSettings, SourceSettings

__all__ = ["EnvFilePlugin", "EnvFileSettings", "FileSettings", "SourceSettings"]
