"""Know the requests that a host answers with another secret in the place of the one it was sent. Pure.

What is answered is in the container then, and good without the proxy and after the session. Of hosts that we lend a
credential without being told; what others do is for whoever names them.
"""

from __future__ import annotations

import re

from clauderon.proxy.http.request import split_target
from clauderon.proxy.policy import fine_rules

_MINTING = {
    # A client makes an API key of a login here, where there is no subscription. With a login alone it can also be the
    # far end of a session in the vendor's cloud, and gets a token for that.
    "api.anthropic.com": re.compile(
        rb"/oauth/.*(?:api_?key|token)|/v1/environments/(?:bridge|[^/]+/work)|/v1/code/.*/bridge"
    ),
    # Whoever enrols as the far end of an account's remote control gets a token for that, and controls by it.
    "chatgpt.com": re.compile(rb"/remote/control(?:/|\Z)"),
    # A token that the hosts of its models take, and those of a machine that works for a repository or an application.
    "api.github.com": re.compile(
        rb"/copilot_internal/.*token|/access_tokens\Z|/actions/runners/(?:(?:registration|remove)-token|generate-jitconfig)"
    ),
}
# On any host that answers as a model: a secret for a browser or a telephone, a key, the token of an account. Such a
# word in a path is taken for one on hosts that nobody knows yet, too.
_OF_MODELS = re.compile(
    rb"[/:](?!count|input|output)[a-z_-]*(?:tokens?|secrets?|credentials?|api_?keys?|service_accounts?)(?:/|\Z)"
    rb"|/realtime/(?:[a-z]+_)?sessions|/chatkit/sessions"
)


def is_minting(host: str, target: bytes, *, models: bool = False) -> bool:
    """Whether a request for this target is, in any way that its path can be read.

    models: whether the host answers as a model.
    """
    kinds = [kind for kind in (_MINTING.get(host), _OF_MODELS if models else None) if kind is not None]
    if not kinds:
        return False
    try:
        paths = fine_rules.readings(split_target(target)[0])
    except fine_rules.Unclear:
        return True
    return any(kind.search(path.lower()) for kind in kinds for path in paths)
