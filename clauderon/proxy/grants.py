"""The credential table as the data plane asks it: host in, header out (`interfaces.Credentials`).

A frozen answer to "who gets what" at one moment; a reload makes a new one. Nothing here does I/O.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace

from clauderon.config.schema import Credential
from clauderon.proxy.credentials import Secret, hint
from clauderon.proxy.interfaces import Grant

# Removed from every request to a credentialed host, even where no credential travels in them. A cookie is one too: with
# it a container could act as somebody else beside the credential it is lent.
ALWAYS_REMOVED = frozenset(
    {b"authorization", b"x-api-key", b"x-goog-api-key", b"proxy-authorization", b"cookie"}
)
# What is shorter would be found everywhere by chance.
SHORTEST_NEEDLE = 8
_REMEMBERED = 4096
# Where that is on the host is nothing a container needs to know.
_SECRETS = "secrets/ of clauderon's state directory"


class Grants:
    """Implements `interfaces.Credentials`."""

    def __init__(self, credentials: Mapping[str, Credential], secrets: Mapping[str, Secret]) -> None:
        """credentials: in order of precedence; secrets: by credential name, those that are set."""
        self._exact: dict[str, Grant] = {}
        self._below: dict[str, Grant] = {}
        self._headers = ALWAYS_REMOVED | {c.header.lower().encode() for c in credentials.values()}
        self._remembered: dict[str, Grant | None] = {}
        unset: dict[str, list[Credential]] = {}
        for credential in credentials.values():
            grant = _grant(credential, secrets.get(credential.name))
            for pattern in credential.hosts:
                table = self._below if pattern.startswith("*.") else self._exact
                key = pattern.removeprefix("*").lower()
                before = table.get(key)
                # Of several for one host the first that has a secret counts, else the first.
                if before is None or (before.value is None and grant.value is not None):
                    table[key] = grant
                if grant.value is None:
                    unset.setdefault(key, []).append(credential)
                    if table[key].value is None:
                        table[key] = replace(table[key], hint=hint(*unset[key], secrets=_SECRETS))

    @property
    def headers(self) -> frozenset[bytes]:
        return self._headers

    def grant(self, host: str) -> Grant | None:
        try:
            return self._remembered[host]
        except KeyError:
            pass
        found = [self._exact[host]] if host in self._exact else []
        if self._below and ":" not in host:
            # The longest pattern is the most particular.
            labels = host.split(".")
            names = ("." + ".".join(labels[start:]) for start in range(1, len(labels)))
            found += [self._below[name] for name in names if name in self._below]
        grant = next((each for each in found if each.value is not None), found[0] if found else None)
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        self._remembered[host] = grant
        return grant


class LiveGrants:
    """The table in force: the data plane holds on to this, and a reload swaps what is behind it."""

    def __init__(self, credentials: Mapping[str, Credential], secrets: Mapping[str, Secret]) -> None:
        self._grants = Grants(credentials, secrets)

    def swap(self, credentials: Mapping[str, Credential], secrets: Mapping[str, Secret]) -> None:
        self._grants = Grants(credentials, secrets)

    @property
    def headers(self) -> frozenset[bytes]:
        return self._grants.headers

    def grant(self, host: str) -> Grant | None:
        return self._grants.grant(host)


def _grant(credential: Credential, secret: Secret | None) -> Grant:
    value: bytes | None = None
    needles: tuple[bytes, ...] = ()
    if secret is not None:
        text = secret.reveal()
        basic = base64.b64encode(f"{credential.basic_user}:{text}".encode()).decode()
        # Not str.format: a secret or a format with other braces must pass as it is.
        value = credential.format.replace("{basic}", basic).replace("{secret}", text).encode()
        forms = [text, basic] if "{basic}" in credential.format else [text]
        needles = tuple(form.encode() for form in forms if len(form) >= SHORTEST_NEEDLE)
    return Grant(
        name=credential.name,
        header=credential.header.lower().encode(),
        value=value,
        needles=needles,
        model_api=credential.model_api,
    )
