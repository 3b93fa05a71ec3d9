"""Asks the engine over its socket, without the processor time of a docker client for each question."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection
from typing import Any

DEFAULT = "unix:///var/run/docker.sock"
TIMEOUT_S = 60.0


def asked(host: str, path: str) -> Any:
    """The answer to a GET of the engine's API. host: a DOCKER_HOST with `unix://`; empty for docker's own."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(TIMEOUT_S)
        channel.connect((host or DEFAULT).removeprefix("unix://"))
        connection = HTTPConnection("docker")
        connection.sock = channel
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    assert response.status == 200, f"{path}: {response.status}: {body!r}"
    return json.loads(body)
