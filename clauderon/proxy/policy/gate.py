"""Read the beginning of a request's body before the request is sent on: may it pass? Pure; bounded in memory.

Each gate has `feed`, True once the request may pass, and `end` for a body that is over; both raise Problem.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

from clauderon.proxy.http.problem import Problem
from clauderon.proxy.policy import forge_api, graphql, receive_pack

_RULE = "credential-scope"
_MOST_DOCUMENT = 1 << 20
_PIECE = 65536
# Push options that neither merge nor change a setting (GitLab's and Gitea's).
_OPTIONS = (
    b"ci.skip", b"merge_request.create", b"merge_request.target=", b"merge_request.title=",
    b"merge_request.description=", b"merge_request.draft", b"merge_request.label=", b"topic=", b"title=",
    b"description=",
)  # fmt: skip


class Gate(Protocol):
    """What a request's body has to pass."""

    def feed(self, data: bytes) -> bool:
        """Take the next bytes of the body, its framing taken away; whether the request may pass. Raises Problem."""

    def end(self) -> None:
        """The body is over, and `feed` never said yes. Raises Problem."""


class PushGate:
    """Lets a push through that changes the given refs alone, and removes none of them."""

    def __init__(self, refs: tuple[str, ...], repository: str, coding: bytes) -> None:
        """refs: at most one `*` in each. repository: in words. coding: `gzip`, or empty."""
        self._refs = tuple(ref.encode() for ref in refs)
        self._repository = repository
        self._inflate = zlib.decompressobj(31) if coding else None
        self._reader = receive_pack.Reader()

    def feed(self, data: bytes) -> bool:
        """Raises Problem."""
        reader = self._reader
        try:
            if self._inflate is None:
                reader.feed(data)
            else:
                while data and not reader.done:
                    reader.feed(self._inflate.decompress(data, _PIECE))
                    if self._inflate.eof and not reader.done and self._inflate.unused_data:
                        raise receive_pack.Malformed("something behind its gzip")
                    data = self._inflate.unconsumed_tail
        except (receive_pack.Malformed, zlib.error) as error:
            what = str(error) if isinstance(error, receive_pack.Malformed) else "its gzip is broken"
            raise self._problem(f"what this push asks for cannot be read: {what}") from None
        if reader.done:
            self._decide()
        return reader.done

    def end(self) -> None:
        """Raises Problem."""
        if not self._reader.probe:
            raise self._problem("this push breaks off before it says what it asks for")

    def _decide(self) -> None:
        reader = self._reader
        reasons = {command.ref: self._reason(command) for command in reader.commands}
        option = next((each for each in reader.options if not _is_open(each)), None)
        if option is not None:
            said = option.partition(b"=")[0][:80].decode("utf-8", "replace")
            reasons = {
                ref: reason or f"the push option {said} is not open" for ref, reason in reasons.items()
            }
        if not any(reasons.values()):
            return
        told = {
            ref: "clauderon: " + (reason or "another ref of the same push is refused")
            for ref, reason in reasons.items()
        }
        first = next(
            f"{ref.decode('utf-8', 'replace')[:200]}: {reason}" for ref, reason in reasons.items() if reason
        )
        problem = self._problem(f"a push to {self._repository} is refused ({first})")
        body = receive_pack.report(reader, told, self._said(problem))
        if body is not None:
            problem.status = 200
            problem.answer = ("application/x-git-receive-pack-result", body)
        raise problem

    def _reason(self, command: receive_pack.Command) -> str:
        """Why the command is refused, or ""."""
        if not any(_fits(ref, command.ref) for ref in self._refs):
            return f"this session pushes to {self._open()} alone"
        return "a session removes no branch" if command.deletes else ""

    def _open(self) -> str:
        return " and ".join(ref.decode().removeprefix("refs/heads/") for ref in self._refs) or "no branch"

    def _problem(self, what: str) -> Problem:
        fix = '[git] push = ["refs/heads/NAME"] in config.toml opens another branch'
        problem = Problem.by_policy(403, _RULE, _RULE, what, fix)
        if self._refs:
            own = self._refs[0].decode()
            problem.instead = f"git push REMOTE HEAD:{own}, and a pull request from there"
        return problem

    def _said(self, problem: Problem) -> str:
        return f"clauderon: {problem.what}\ninstead: {problem.instead}\nhint (on the host): {problem.fix}"


class DocumentGate:
    """Collects a body whole, up to 1 MiB, for a check that raises Unclear or Problem."""

    def __init__(self, check: Callable[[bytes], None], unclear: Callable[[str], Problem]) -> None:
        self._check = check
        self._unclear = unclear
        self._body = bytearray()

    def feed(self, data: bytes) -> bool:
        """Raises Problem."""
        self._body += data
        if len(self._body) > _MOST_DOCUMENT:
            raise self._unclear(f"a body of more than {_MOST_DOCUMENT} bytes")
        return False

    def end(self) -> None:
        """Raises Problem."""
        try:
            self._check(bytes(self._body))
        except graphql.Unclear as error:
            raise self._unclear(str(error)) from None


def _is_open(option: bytes) -> bool:
    """Whether a push option changes nothing: it is a known one, and its description has no line that GitLab obeys."""
    name, _, value = option.partition(b"=")
    return option.startswith(_OPTIONS) and not (
        name.endswith(b"description") and forge_api.command_in(value.decode("utf-8", "replace"))
    )


def _fits(pattern: bytes, ref: bytes) -> bool:
    """As in git's refspecs: the `*` matches any text that is not empty."""
    before, star, after = pattern.partition(b"*")
    if not star:
        return ref == pattern
    middle = ref[len(before) : len(ref) - len(after)]
    return len(ref) > len(before) + len(after) and ref == before + middle + after and b".." not in middle
