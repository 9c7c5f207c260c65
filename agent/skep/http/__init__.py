"""The server side of HTTP: listening, TLS, keeping web pages out, taking connections over, errors as Docker's clients know them."""

from skep.http.body import read_body
from skep.http.errors import error_middleware, error_response, error_status
from skep.http.guard import refuse_browsers
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
    "read_body",
    "refuse_browsers",
    "take_over",
]
