"""Read what a request to a forge's own API is about: the repository, and whether it is work on a pull request. Pure.

Known are GitHub's API (Gitea's and Forgejo's are like it) and GitLab's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = rb"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~+@-]+"
_GITHUB = re.compile(rb"(?:/api/v[13])?/repos/(%(n)b/%(n)b)((?:/%(n)b)*)" % {b"n": _NAME})
# GitLab takes a project's path in one segment, its slashes encoded; a number is not known to be any repository.
_GITLAB = re.compile(
    rb"/api/v4/projects/((?=[^/]*%%2[Ff])(?:%(n)b)(?:%%2[Ff]%(n)b)+)((?:/%(n)b)*)"
    % {b"n": rb"(?!\.{1,2}(?:[/%]|\Z))[A-Za-z0-9._~+@-]+"}
)
_ID = r"[0-9A-Za-z_-]+"
# What an agent needs to bring its work to people, and nothing that merges, publishes or changes settings.
_WRITES = {
    "github": (
        ("POST", "pulls"),
        ("PATCH", f"pulls/{_ID}"),
        ("POST", f"pulls/{_ID}/(?:comments|reviews)"),
        ("POST", f"pulls/{_ID}/comments/{_ID}/replies"),
        ("PATCH", f"(?:pulls/|issues/)?comments/{_ID}"),
        ("PUT", f"pulls/{_ID}/reviews/{_ID}"),
        ("POST", f"pulls/{_ID}/reviews/{_ID}/events"),
        ("POST|DELETE", f"pulls/{_ID}/requested_reviewers"),
        ("POST", f"(?:issues|commits)/{_ID}/comments"),
        ("POST", "check-runs"),
        ("PATCH", f"check-runs/{_ID}"),
    ),
    "gitlab": (
        ("POST", "merge_requests"),
        ("PUT", f"merge_requests/{_ID}"),
        ("POST", f"(?:merge_requests|issues)/{_ID}/(?:notes|discussions)"),
        ("POST", f"(?:merge_requests|issues)/{_ID}/discussions/{_ID}/notes"),
        ("PUT", f"(?:merge_requests|issues)/{_ID}/notes/{_ID}"),
        ("POST", f"repository/commits/{_ID}/comments"),
    ),
}
_OPEN = {
    kind: re.compile("|".join(f"(?:{methods}) {path}" for methods, path in rows))
    for kind, rows in _WRITES.items()
}
# A line that GitLab obeys (a quick action): `/merge` merges, `/tag` below a commit makes a tag.
_COMMAND_LINE = re.compile(
    r"(?:\A|[\r\n\v\f\x85\u2028\u2029]|\\n)[^\S\r\n\v\f\x85\u2028\u2029]*(/[A-Za-z_]+)(?=\s|\\n|\Z)"
)
# About nobody's repository.
_NEUTRAL = frozenset(
    {b"/", b"/user", b"/rate_limit", b"/meta", b"/versions", b"/api/v4/user", b"/api/v4/version"}
)


class About(NamedTuple):
    """A request below one repository. path: `owner/name`; rest: what follows, without the first slash."""

    kind: str
    path: str
    rest: str

    def is_open_write(self, method: bytes) -> bool:
        """Whether it is work on pull requests, comments, reviews or check runs."""
        return _OPEN[self.kind].fullmatch(f"{method.decode('ascii', 'replace')} {self.rest}") is not None


def about(path: bytes) -> About | None:
    """Which repository a path (without its query) is about; None for none, and for what is not sure to be one."""
    for kind, pattern in (("github", _GITHUB), ("gitlab", _GITLAB)):
        match = pattern.fullmatch(path)
        if match is not None:
            repository = re.sub(r"%2f", "/", match[1].decode("ascii"), flags=re.IGNORECASE)
            return About(kind, repository, match[2][1:].decode("ascii"))
    return None


def command_in(value: object) -> str:
    """The first line that GitLab would obey in a text, or in any text of a JSON document; "" for none."""
    if isinstance(value, str):
        match = _COMMAND_LINE.search(value)
        return match[1] if match is not None else ""
    if isinstance(value, dict):
        value = list(value.values())
    found = map(command_in, value) if isinstance(value, list) else ()
    return next(filter(None, found), "")


def is_neutral(path: bytes) -> bool:
    """Whether a path says who asks and what the server is, and nothing of a repository."""
    return path in _NEUTRAL


def is_graphql(path: bytes) -> bool:
    """Whether a path is where GraphQL is served."""
    return path.rstrip(b"/").lower().endswith(b"/graphql")


def forge(host: str) -> str:
    """The host that the repositories of an API's host are on."""
    for prefix in ("api.", "uploads."):
        if host.startswith(prefix):
            return host.removeprefix(prefix)
    return host
