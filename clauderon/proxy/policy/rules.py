"""Decide what a session may do: which hosts, which addresses, which requests. Pure: no I/O, no clock, no secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from clauderon import netrules
from clauderon.proxy.http.request import RequestHead
from clauderon.proxy.policy import fine_rules, read_only
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
    instead: what may be asked for without a change.
    finer: rules that have to see the request; what they say nothing about is as in `otherwise`.
    """

    rule: str
    problem: str | None = None
    fix: str = ""
    passthrough: bool = False
    instead: str = ""
    finer: fine_rules.Lists = ()
    otherwise: Verdict | None = None


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
        self._fine = _compiled(policy.rules)
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
        verdict = self._by_rules(self._listed(host, port), host, port)
        if verdict.problem is not None:
            return verdict
        if is_address(host) and not self.targets.dial(host, port).named:
            problem = self.address_problem(host, port)
            if problem is not None:
                return problem
        if any(p.matches(host, port) for p in self.targets.passthrough):
            if verdict.finer:
                fix = f'take "{host}" out of [proxy] passthrough, or write its rule without methods and paths'
                return Verdict(
                    "passthrough", f"{host} is not looked into, so that its rules cannot apply", fix
                )
            return Verdict(f"{verdict.rule}, passthrough", passthrough=True)
        return verdict

    def _listed(self, host: str, port: int) -> Verdict:
        """By the allow list alone."""
        if self._allow is None:
            return Verdict("open")
        match = next((p for p in self._allow if p.matches(host, port)), None)
        if match is not None:
            return Verdict(f"allow {match.text}")
        fix = f'add "{host}" to [network] allow in config.toml'
        if self.policy.own_allow:
            fix = f"clauderon network allow {self.policy.name} {host}"
        rule = "allow nothing" if not self._allow else "not allowed"
        return Verdict(rule, f"{host} is not on this session's allow list", fix)

    def _by_rules(self, listed: Verdict, host: str, port: int) -> Verdict:
        """The same, with what the rules say of every request to the host; or with those that must see each."""
        lists = tuple(
            tuple(rule for pattern, rule in each if pattern.matches(host, port)) for each in self._fine
        )
        if not any(lists):
            return listed
        verdicts = [_of_all(each, listed) for each in lists]
        refused = next((each for each in verdicts if each is not None and each.problem is not None), None)
        if refused is not None:
            return refused
        if None in verdicts:
            return Verdict(listed.rule, finer=lists, otherwise=listed)
        return verdicts[0] or listed

    def request(self, verdict: Verdict, head: RequestHead, credential: str) -> Verdict:
        """What finer rules say of a request whose host has some. credential: the name of the one it is lent."""
        assert verdict.otherwise is not None
        found = verdict.otherwise
        for rules in verdict.finer:
            try:
                rule = fine_rules.decide(rules, head, credential)
            except fine_rules.Unclear as error:
                what = f"this request is not clear: {error}"
                return Verdict(
                    "ambiguous", what, "there are rules for this host, which have to tell requests apart"
                )
            found = verdict.otherwise if rule is None else _by_rule(rule.text, allows=rule.allows)
            if found.problem is not None:
                return _with_choice(found, rules)
        return found

    def _denied(self, host: str, port: int) -> Verdict | None:
        if self._deny is None:
            return Verdict("deny", "this session's deny list cannot be read", "correct [network] deny")
        for pattern in self._deny:
            if pattern.matches(host, port):
                fix = f'remove "{pattern.text}" from [network] deny'
                if pattern.text in self.policy.own_deny:
                    fix = f"clauderon network allow {self.policy.name} '{pattern.text}'"
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


def _compiled(rules: Iterable[str]) -> list[list[tuple[Pattern, fine_rules.FineRule]]]:
    """Each list of rules with the hosts they are for. One that makes no sense refuses everything."""
    found = []
    for each in netrules.groups(rules):
        try:
            parsed = [netrules.parse(text) for text in each]
            found.append([(parse_pattern(rule.host), fine_rules.compiled(rule)) for rule in parsed])
        except ValueError:
            nothing = netrules.NetRule("deny", "*")
            found.append([(parse_pattern("*"), fine_rules.compiled(nothing))])
    return found


def _of_all(rules: tuple[fine_rules.FineRule, ...], listed: Verdict) -> Verdict | None:
    """What these say of every request to their host; None if they have to see each."""
    if not rules:
        return listed
    first = rules[0]
    if first.paths is None and not first.methods and not first.credential:
        return _by_rule(first.text, allows=first.allows)
    if listed.problem is not None and not any(rule.allows for rule in rules):
        return listed
    return None


def _by_rule(text: str, *, allows: bool) -> Verdict:
    if allows:
        return Verdict(text)
    fix = "it is in [[network.rules]] of config.toml, or was given with --rule"
    return Verdict(text, f'the rule "{text}" refuses this request', fix)


def _with_choice(verdict: Verdict, rules: tuple[fine_rules.FineRule, ...]) -> Verdict:
    """A refusal that says what the rules allow."""
    allowed = [rule.text for rule in rules if rule.allows]
    if not allowed:
        return verdict
    return replace(verdict, instead=f"what the rules allow here: {'; '.join(allowed[:5])}")
