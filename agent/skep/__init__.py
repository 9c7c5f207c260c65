"""skep: an asyncio agent for Docker hosts, extended by plugins.

All public names are here, and in `skep.testing`. They are imported when they are first used: a command that needs no HTTP does not pay
for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from skep._version import __version__

if TYPE_CHECKING:
    from skep.agent import Agent, Created
    from skep.cli.client import AgentClient
    from skep.cli.lookups import lookup_settings, lookups_of
    from skep.cli.options import Duration, agent_option, wait_option
    from skep.cli.output import ago, printable, show_table
    from skep.cli.run import settings_options
    from skep.cli.service import run_service
    from skep.cluster import Cluster, ClusterState, EngineEvents, NodeSet, NodeState
    from skep.engine import TLS, Engine, EngineEvent, Hijacked
    from skep.environment import env_file, variables
    from skep.errors import (
        AmbiguousError,
        ConflictError,
        DeniedError,
        EngineError,
        EngineProtocolError,
        EngineTimeoutError,
        EngineUnreachableError,
        ExpressionError,
        NotFoundError,
        NotReadyError,
        PluginError,
        PropertyError,
        RequestError,
        SettingsError,
        SkepError,
        TemporaryError,
    )
    from skep.events import (
        ContainerCreated,
        ContainerDestroyed,
        ContainerDied,
        ContainerEvent,
        ContainerHealthChanged,
        ContainerPaused,
        ContainerRenamed,
        ContainerStarted,
        ContainerUnpaused,
        ContainerUpdated,
        LifecycleEvent,
        Lost,
        NodeEvent,
        NodeJoined,
        NodeLeft,
        NodeRecovered,
        NodeUnhealthy,
        NodeUpdated,
        PluginEvent,
    )
    from skep.expressions import Expression, parse_expression
    from skep.files import read_small_file, replace_file
    from skep.hooks import (
        ApiAnswered,
        ApiRequest,
        Client,
        ContainerCreating,
        ContainerStopping,
        CustomResource,
        CustomResourceRequest,
        DiscoveryBackend,
        Lookup,
        Metric,
        Plugin,
        Values,
        hookimpl,
    )
    from skep.http import (
        HttpServer,
        ServerTLS,
        TakenOver,
        error_middleware,
        error_response,
        error_status,
        pump,
        read_body,
        refuse_browsers,
        take_over,
    )
    from skep.models import (
        Container,
        ContainerState,
        Endpoint,
        Health,
        Image,
        Mount,
        Network,
        Node,
        NodeStatus,
        Port,
        Volume,
        format_time,
        natural_key,
        split_reference,
        with_overcommit,
    )
    from skep.scheduler import (
        EntryLabel,
        FilterVerdict,
        Mark,
        NodeExplanation,
        Placement,
        PlacementError,
        PlacementQuery,
        PlacementRequest,
        Room,
        RoomSettings,
        Scores,
        Verdict,
    )
    from skep.settings import (
        PluginSettings,
        Seconds,
        ServerTlsSettings,
        Settings,
        TlsSettings,
        load_settings,
        parse_plugin_settings,
        parse_settings,
    )
    from skep.strict import strict_json

__all__ = [
    "TLS",
    "Agent",
    "AgentClient",
    "AmbiguousError",
    "ApiAnswered",
    "ApiRequest",
    "Client",
    "Cluster",
    "ClusterState",
    "ConflictError",
    "Container",
    "ContainerCreated",
    "ContainerCreating",
    "ContainerDestroyed",
    "ContainerDied",
    "ContainerEvent",
    "ContainerHealthChanged",
    "ContainerPaused",
    "ContainerRenamed",
    "ContainerStarted",
    "ContainerState",
    "ContainerStopping",
    "ContainerUnpaused",
    "ContainerUpdated",
    "Created",
    "CustomResource",
    "CustomResourceRequest",
    "DeniedError",
    "DiscoveryBackend",
    "Duration",
    "Endpoint",
    "Engine",
    "EngineError",
    "EngineEvent",
    "EngineEvents",
    "EngineProtocolError",
    "EngineTimeoutError",
    "EngineUnreachableError",
    "EntryLabel",
    "Expression",
    "ExpressionError",
    "FilterVerdict",
    "Health",
    "Hijacked",
    "HttpServer",
    "Image",
    "LifecycleEvent",
    "Lookup",
    "Lost",
    "Mark",
    "Metric",
    "Mount",
    "Network",
    "Node",
    "NodeEvent",
    "NodeExplanation",
    "NodeJoined",
    "NodeLeft",
    "NodeRecovered",
    "NodeSet",
    "NodeState",
    "NodeStatus",
    "NodeUnhealthy",
    "NodeUpdated",
    "NotFoundError",
    "NotReadyError",
    "Placement",
    "PlacementError",
    "PlacementQuery",
    "PlacementRequest",
    "Plugin",
    "PluginError",
    "PluginEvent",
    "PluginSettings",
    "Port",
    "PropertyError",
    "RequestError",
    "Room",
    "RoomSettings",
    "Scores",
    "Seconds",
    "ServerTLS",
    "ServerTlsSettings",
    "Settings",
    "SettingsError",
    "SkepError",
    "TakenOver",
    "TemporaryError",
    "TlsSettings",
    "Values",
    "Verdict",
    "Volume",
    "__version__",
    "agent_option",
    "ago",
    "env_file",
    "error_middleware",
    "error_response",
    "error_status",
    "format_time",
    "hookimpl",
    "load_settings",
    "lookup_settings",
    "lookups_of",
    "natural_key",
    "parse_expression",
    "parse_plugin_settings",
    "parse_settings",
    "printable",
    "pump",
    "read_body",
    "read_small_file",
    "refuse_browsers",
    "replace_file",
    "run_service",
    "settings_options",
    "show_table",
    "split_reference",
    "strict_json",
    "take_over",
    "variables",
    "wait_option",
    "with_overcommit",
]

_HOMES = {
    "agent": "Agent Created",
    "cli.client": "AgentClient",
    "cli.lookups": "lookup_settings lookups_of",
    "cli.options": "Duration agent_option wait_option",
    "cli.output": "ago printable show_table",
    "cli.run": "settings_options",
    "cli.service": "run_service",
    "cluster": "Cluster ClusterState EngineEvents NodeSet NodeState",
    "engine": "Engine EngineEvent Hijacked TLS",
    "environment": "env_file variables",
    "errors": "AmbiguousError ConflictError DeniedError EngineError EngineProtocolError EngineTimeoutError EngineUnreachableError "
    "ExpressionError NotFoundError NotReadyError PluginError PropertyError RequestError SettingsError SkepError TemporaryError",
    "events": "ContainerCreated ContainerDestroyed ContainerDied ContainerEvent ContainerHealthChanged ContainerPaused ContainerRenamed "
    "ContainerStarted ContainerUnpaused ContainerUpdated LifecycleEvent Lost NodeEvent NodeJoined NodeLeft NodeRecovered NodeUnhealthy NodeUpdated PluginEvent",
    "expressions": "Expression parse_expression",
    "files": "read_small_file replace_file",
    "hooks": "ApiAnswered ApiRequest Client ContainerCreating ContainerStopping CustomResource CustomResourceRequest DiscoveryBackend Lookup Metric Plugin Values hookimpl",
    "http": "HttpServer ServerTLS TakenOver error_middleware error_response error_status pump read_body refuse_browsers take_over",
    "models": "Container ContainerState Endpoint Health Image Mount Network Node NodeStatus Port Volume format_time natural_key "
    "split_reference with_overcommit",
    "scheduler": "EntryLabel FilterVerdict Mark NodeExplanation Placement PlacementError PlacementQuery PlacementRequest Room RoomSettings Scores Verdict",
    "settings": "PluginSettings Seconds ServerTlsSettings Settings TlsSettings load_settings parse_plugin_settings parse_settings",
    "strict": "strict_json",
}
_HOME = {name: f"skep.{module}" for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'skep' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
