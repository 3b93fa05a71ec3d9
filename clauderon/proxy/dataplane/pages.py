"""What the proxy says of itself: the health document to anybody, the metrics to this machine. Sends nothing."""

from __future__ import annotations

import json

from clauderon.proxy.dataplane.ruling import Page
from clauderon.proxy.dataplane.session import Session
from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead, split_target
from clauderon.proxy.policy.hosts import HostError, parse_authority

METRICS = b"/metrics"
_METRICS_TYPE = b"application/openmetrics-text; version=1.0.0; charset=utf-8"
# A web page can have a name of its own resolve to this machine, so other names are refused.
_OUR_NAMES = ("127.0.0.1", "localhost", "::1")


def asked(session: Session, head: RequestHead, *, loopback: bool) -> Page:
    """On a request to a port of ours as if it were a web server. loopback: whether the caller is on this machine.

    Raises Problem.
    """
    if not session.main:
        fix = "use this address as HTTP_PROXY and HTTPS_PROXY"
        raise Problem.by_policy(
            400, "proxy-port", "http", "this port is an HTTP proxy, not a web server", fix
        )
    path = split_target(head.target)[0]
    if path == METRICS and head.method in (b"GET", b"HEAD"):
        if not loopback or not _is_ours(head.host):
            what = "the metrics are for callers on this machine alone, who ask 127.0.0.1 or localhost"
            raise Problem.by_policy(403, "not-loopback", "source-address", what)
        return Page(session.shared.metrics().encode(), _METRICS_TYPE)
    if path != b"/":
        raise _no_such_page()
    return health(session, head)


def health(session: Session, head: RequestHead) -> Page:
    """The health document, for GET and HEAD. Raises Problem."""
    if head.method not in (b"GET", b"HEAD"):
        raise _no_such_page()
    return Page(json.dumps(session.shared.health()).encode() + b"\n")


def _is_ours(host: bytes | None) -> bool:
    if host is None:
        return True  # HTTP/1.0, which no browser speaks
    try:
        return parse_authority(host, 80)[0] in _OUR_NAMES
    except HostError:
        return False


def _no_such_page() -> Problem:
    return Problem.by_policy(404, "no-such-page", "http", "clauderon's proxy serves GET / and /metrics alone")
