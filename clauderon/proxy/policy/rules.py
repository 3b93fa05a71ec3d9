"""Decide what a session may do: which hosts, which addresses, which requests. Pure: no I/O, no clock, no secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from clauderon.proxy.http.request import RequestHead
from clauderon.proxy.policy import read_only
from clauderon.proxy.policy.addresses import guarded
from clauderon.proxy.policy.grant import Grant
from clauderon.proxy.policy.hosts import HostError, is_address, normalise_host, parse_authority
from clauderon.proxy.policy.scope import Reach
from clauderon.proxy.policy.session import SessionPolicy

_CACHED = 4096


class Pattern(NamedTuple):
    """One entry of an allow, deny or passthrough list. `port` None means any port."""

    text: str
    host: str
    below: bool
    port: int | None

    def matches(self, host: str, port: int) -> bool:
        """Whether the pattern is about this host and port; `host` is normalised."""
        if self.port is not None and self.port != port:
            return False
        if self.below:
            return host.endswith(self.host)
        return host == self.host


def parse_pattern(text: str) -> Pattern:
    """`host`, `*.host` (every name below it, not itself), `*`; each with `:port` or without. Raises HostError."""
    body = text.strip()
    if body == "*":
        return Pattern(text, "", True, None)
    if body.startswith("*:"):
        return Pattern(text, "", True, parse_authority(b"any" + body[1:].encode(), None)[1])
    below = body.startswith("*.")
    if below:
        body = body[2:]
    if body.count(":") > 1 and not body.startswith("["):
        host, port = normalise_host(body), None
    elif body.isascii():
        host, port = parse_authority(body.encode("ascii"), None)
    else:
        name, _, number = body.partition(":")
        ascii_name = normalise_host(name)
        host, port = parse_authority(
            f"{ascii_name}:{number}".encode() if number else ascii_name.encode(), None
        )
    if below and is_address(host):
        raise HostError(f"{text!r}: there are no names below an address")
    return Pattern(text, f".{host}" if below else host, below, port)


def parse_patterns(texts: Iterable[str], *, strict: bool) -> tuple[Pattern, ...]:
    """Each text as a Pattern. One that cannot be understood raises HostError, or is left out if not `strict`."""
    found = []
    for text in texts:
        try:
            found.append(parse_pattern(text))
        except HostError:
            if strict:
                raise
    return tuple(found)


class Dial(NamedTuple):
    """Where to connect for a name. `named`: by `connect_to`, so the address guard does not apply."""

    host: str
    port: int
    named: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided for one host and port.

    rule: what decided it, for the audit. problem: why it is refused, or None. fix: what to change then.
    """

    rule: str
    problem: str | None = None
    fix: str = ""
    passthrough: bool = False


class Targets:
    """The settings that are the same for every session: connect_to and passthrough. Raises HostError."""

    def __init__(self, connect_to: Mapping[str, str], passthrough: Iterable[str]) -> None:
        self.passthrough = parse_patterns(passthrough, strict=True)
        self._connect_to: dict[tuple[str, int], Dial] = {}
        for name, target in connect_to.items():
            host, port = parse_authority(name.encode("idna" if not name.isascii() else "ascii"), 443)
            to_host, to_port = parse_authority(target.encode("ascii"), port)
            assert port is not None and to_port is not None
            self._connect_to[host, port] = Dial(to_host, to_port, True)

    def dial(self, host: str, port: int) -> Dial:
        """Where to dial for a host and port: `connect_to`'s answer, else the same."""
        return self._connect_to.get((host, port)) or Dial(host, port, False)


class Rules:
    """One session's policy, compiled. Fails closed: an allow entry that makes no sense allows nothing, a deny
    entry that makes no sense refuses everything."""

    def __init__(self, policy: SessionPolicy, targets: Targets) -> None:
        self.policy = policy
        self.targets = targets
        self.read_only = policy.access_mode != "read-write"
        self.reach = Reach.of(policy.remotes, policy.refs)
        self._allow = None if policy.allow is None else parse_patterns(policy.allow, strict=False)
        self._deny: tuple[Pattern, ...] | None
        try:
            self._deny = parse_patterns(policy.deny, strict=True)
        except HostError:
            self._deny = None
        self._verdicts: dict[tuple[str, int], Verdict] = {}

    def decide(self, host: str, port: int) -> Verdict:
        """The verdict on a normalised host. Remembered, so it costs a look-up from the second time on."""
        verdict = self._verdicts.get((host, port))
        if verdict is None:
            if len(self._verdicts) >= _CACHED:
                self._verdicts.clear()
            verdict = self._verdicts[host, port] = self._decide(host, port)
        return verdict

    def _decide(self, host: str, port: int) -> Verdict:
        denied = self._denied(host, port)
        if denied is not None:
            return denied
        if self._allow is None:
            rule = "open"
        else:
            match = next((p for p in self._allow if p.matches(host, port)), None)
            if match is None:
                rule = "allow nothing" if not self._allow else "not allowed"
                fix = f'add "{host}" to [network] allow in config.toml'
                if self.policy.own_allow:
                    fix = f"the list was given with --allow; create another session with --allow {host} too"
                return Verdict(rule, f"{host} is not on this session's allow list", fix)
            rule = f"allow {match.text}"
        if is_address(host) and not self.targets.dial(host, port).named:
            problem = self.address_problem(host, port)
            if problem is not None:
                return problem
        if any(p.matches(host, port) for p in self.targets.passthrough):
            return Verdict(f"{rule}, passthrough", passthrough=True)
        return Verdict(rule)

    def _denied(self, host: str, port: int) -> Verdict | None:
        if self._deny is None:
            return Verdict("deny", "this session's deny list cannot be read", "correct [network] deny")
        for pattern in self._deny:
            if pattern.matches(host, port):
                fix = f'remove "{pattern.text}" from [network] deny'
                return Verdict(f"deny {pattern.text}", f"{host} is on this session's deny list", fix)
        return None

    def address_problem(self, address: str, port: int) -> Verdict | None:
        """The verdict that refuses dialling this numeric address, or None. For the very address dialled.

        An address is exempt from the guard only where the allow list names that address itself.
        """
        denied = self._denied(address, port)
        if denied is not None:
            return denied
        word = guarded(address)
        if word is None:
            return None
        if self._allow is not None and any(
            p.host == address and p.matches(address, port) for p in self._allow
        ):
            return None
        fix = f'if this is meant, name it: [proxy] connect_to = {{ "HOST:{port}" = "{address}:{port}" }}'
        return Verdict("address-guard", f"{address} is guarded ({word})", fix)

    def request_problem(self, head: RequestHead, grant: Grant) -> Verdict | None:
        """In read-only mode, the verdict that refuses this request to a credentialed host; None if it may pass."""
        found = read_only.refused(head, grant) if self.read_only else None
        if found is None:
            return None
        what, fix = found
        return Verdict(
            "read-only",
            f"{what} is not open to a read-only session on a host with credentials",
            "; ".join(
                filter(
                    None, (fix, "clauderon set-access-mode NAME read-write (on the host, for this session)")
                )
            ),
        )
