"""GET /metrics of a worker, at METRICS_BIND: for a host without a web process, such as a container or a pod.

It has what the processes of this host have counted. What the database and Redis know is the same for a whole
installation: web processes tell it (config/gauges.py), and workers do not ask for it once more each.
"""

import logging
import socket
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any

from django.conf import settings
from django.utils.datastructures import CaseInsensitiveMapping
from prometheus_client import CONTENT_TYPE_LATEST

from config import metrics_access
from core.metrics import files

log = logging.getLogger(__name__)

WITHIN_S = 5.0
"""For one caller, from connecting to the end of the answer: callers are served one after the other."""
_FOR_EVER_S = 3600.0
_PATH = "/metrics"
_TEXT = "text/plain; charset=utf-8"


def start() -> None:
    """Serves the metrics from a thread, for as long as this process lives, if METRICS_BIND says where.

    A worker that cannot serve them does its work nevertheless, and logs why.
    """
    if not settings.METRICS or not settings.METRICS_BIND:
        return
    try:
        server = _Server(settings.METRICS_BIND)
    except OSError as error:
        log.warning(
            "This worker serves no /metrics: METRICS_BIND=%s cannot be used (%s). If another worker on this "
            "host has that port, it tells what both count; else name a port that is free.",
            settings.METRICS_BIND,
            error.strerror or error,
        )
        return
    # It is never asked to stop, and need not look twice a second whether it is.
    threading.Thread(target=server.serve_forever, args=[_FOR_EVER_S], name="metrics", daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "mcp-connector", ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != _PATH:
            self._answer(HTTPStatus.NOT_FOUND, f"There is nothing here but {_PATH}.")
        elif reason := metrics_access.refusal(
            CaseInsensitiveMapping(self.headers.items()), str(self.client_address[0])
        ):
            self._answer(HTTPStatus.UNAUTHORIZED, reason, **{"WWW-Authenticate": "Bearer"})
        else:
            self._answer_with_metrics()

    def _answer_with_metrics(self) -> None:
        try:
            counted = files.rendered().decode()
        except OSError as error:
            log.warning("METRICS_DIR %s cannot be read (%s).", settings.METRICS_DIR, error.strerror)
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "METRICS_DIR cannot be read; the log says why.")
        else:
            self._answer(HTTPStatus.OK, counted, **{"Content-Type": CONTENT_TYPE_LATEST})

    def _answer(self, status: HTTPStatus, text: str, **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": _TEXT, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Logs nothing: scrapes come several times a minute."""


class _Server(TCPServer):
    """One connection after the other. Not HTTPServer: that asks the DNS for its own name before it starts."""

    allow_reuse_address = True

    def __init__(self, bind: str) -> None:
        """Raises OSError."""
        host, _, port = bind.rpartition(":")
        family, *_, address = socket.getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self.address_family = family
        super().__init__(address, _Handler)  # type: ignore[arg-type]

    def finish_request(self, request: Any, client_address: Any) -> None:
        overdue = threading.Timer(WITHIN_S, _cut, [request])
        overdue.daemon = True
        overdue.start()
        try:
            super().finish_request(request, client_address)
        finally:
            overdue.cancel()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The boundary of a request. A caller that left, or that was too slow, is no fault."""
        if not isinstance(sys.exception(), ConnectionError):
            log.exception("A request for the metrics failed.")


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)
