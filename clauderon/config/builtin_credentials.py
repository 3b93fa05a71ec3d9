"""The credentials clauderon knows without being told: whose hosts, which header, which variables. Data only.

Those of a model come with the agent that needs them (`known.agents`). Of two for the same host, the
first that has a secret is used. A table `[credentials.<name>]` in `config.toml` changes one of these key by key,
or adds another.
"""

from __future__ import annotations

from typing import Any

from clauderon.config.schema import Credential
from clauderon.known import table
from clauderon.known.kind import Lent

# By the credential's name; with what the container finds in its place.
LENT: dict[str, Lent] = {
    lent.credential.name: lent
    for lent in (
        Lent(
            credential=Credential(
                name="github",
                hosts=("api.github.com", "uploads.github.com"),
                scope="session",
                env=("GH_TOKEN", "GITHUB_TOKEN"),
                file="github_token",
                login="gh",
            ),
            placeholder="ghp_clauderonPlaceholderTheProxyHasTheReal",
            variables=("GH_TOKEN",),
        ),
        # git's own endpoints take no Bearer token. Any user name will do; this is the documented one. The proxy adds
        # the header, so git needs no variable.
        Lent(
            credential=Credential(
                name="github-git",
                hosts=("github.com",),
                scope="session",
                format="Basic {basic}",
                basic_user="x-access-token",
                env=("GH_TOKEN", "GITHUB_TOKEN"),
                file="github_token",
                login="gh",
            ),
            placeholder="",
            variables=(),
        ),
    )
} | table.LENT
BUILTIN_CREDENTIALS: dict[str, Credential] = {name: lent.credential for name, lent in LENT.items()}


def share_scope(values: dict[str, dict[str, Any]]) -> None:
    """GitHub's two credentials are one token: what the file says of the first one's scope holds for the other.

    values: the tables of the file, by dotted name; changed in place.
    """
    said = values.get("credentials.github", {})
    shared = {key: said[key] for key in ("scope", "repositories", "fetch") if key in said}
    if shared:
        values["credentials.github-git"] = shared | values.get("credentials.github-git", {})
