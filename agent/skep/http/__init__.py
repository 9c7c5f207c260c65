"""The server side of HTTP: listening, TLS, taking a client's connection over, errors as Docker clients know them."""

from skep.http.errors import error_middleware, error_response, error_status
from skep.http.hijack import Duplex, TakenOver, pump, take_over
from skep.http.server import HttpServer
from skep.http.tls import ServerTLS

__all__ = [
    "Duplex",
    "HttpServer",
    "ServerTLS",
    "TakenOver",
    "error_middleware",
    "error_response",
    "error_status",
    "pump",
    "take_over",
]
