"""The refusals that several of the judge's rules end in, in words. Pure."""

from __future__ import annotations

from clauderon.proxy.http.problem import Problem
from clauderon.proxy.http.request import RequestHead
from clauderon.proxy.net.upstream import Key
from clauderon.proxy.policy.grant import Grant
from clauderon.proxy.policy.rules import Verdict


def bad_request(what: str) -> Problem:
    """The request is none that HTTP knows here."""
    return Problem.by_policy(400, "bad-request", "http", what)


def misdirected(what: str, head: RequestHead) -> Problem:
    """CONNECT, URL and Host name different places."""
    named = (head.host or b"").decode("ascii", "replace")
    return Problem.by_policy(421, "misdirected", "agreement", f"{what}, the Host is {named}")


def wrong_source(code: str, what: str) -> Problem:
    """Whoever asks may not use this port."""
    return Problem.by_policy(403, code, "source-address", what, "use the proxy named in HTTPS_PROXY")


def no_credential(grant: Grant, key: Key) -> Problem:
    """The host's credential has no secret, or is for another port."""
    what = f"no credential is set for {key.host} ({grant.name})"
    if grant.withheld:
        what = f"this session is not lent the credential for {key.host} ({grant.name})"
    if grant.elsewhere:
        what = f"the credential {grant.name} is not for port {key.port} of {key.host}"
    return Problem.by_policy(401, "no-credential", "no-credential", what, grant.hint)


def minting(grant: Grant, key: Key) -> Problem:
    """The host would answer with another secret."""
    what = f"{key.host} would answer with a secret in the place of the credential {grant.name}"
    return Problem.by_policy(403, "mints-a-secret", "mints-a-secret", what, "ask for it on the host")


def refusal(verdict: Verdict) -> Problem:
    """What a verdict refuses."""
    # `not allowed` and `allow nothing` are one refusal; of the others the first word says which rule.
    code = "not-allowed" if verdict.rule in ("not allowed", "allow nothing") else verdict.rule.split(" ")[0]
    problem = Problem.by_policy(403, code, verdict.rule, verdict.problem or "", verdict.fix)
    problem.instead = verdict.instead
    return problem
