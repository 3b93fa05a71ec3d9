"""Know the requests that a host answers with another secret in the place of the one it was sent. Pure.

What is answered is in the container then, and good without the proxy and after the session. Of hosts that we lend a
credential without being told; what others do is for whoever names them.
"""

from __future__ import annotations

import re

from clauderon.proxy.policy import fine_rules

_MINTING = {
    # A client makes an API key of a login here, where there is no subscription.
    "api.anthropic.com": re.compile(rb"/oauth/.*(?:api_?key|token)"),
    # A token that the hosts of its models take.
    "api.github.com": re.compile(rb"/copilot_internal/.*token"),
}


def is_minting(host: str, target: bytes) -> bool:
    """Whether a request for this target is, in any way that its path can be read."""
    secrets = _MINTING.get(host)
    if secrets is None:
        return False
    try:
        return any(secrets.search(path.lower()) for path in fine_rules.readings(target.partition(b"?")[0]))
    except fine_rules.Unclear:
        return True
