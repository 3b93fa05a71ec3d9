"""Find the logins of the person whose proxy this is. Reads; writes nothing and sends nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import files
from clauderon.proxy.logins.claude import CLAUDE
from clauderon.proxy.logins.client import Client, Content, Login
from clauderon.proxy.logins.codex import CODEX, CODEX_KEY
from clauderon.proxy.logins.gemini import GEMINI
from clauderon.proxy.logins.store import BadLogin, InFile, InKeychain, Store

CLIENTS: Mapping[str, Client] = {client.name: client for client in (CLAUDE, CODEX, CODEX_KEY, GEMINI)}
# What of an environment says where logins lie: the service is started with it.
VARIABLES = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "GH_CONFIG_DIR")
# `gh` keeps its own in a file or in a keyring, and knows which.
GH_ARGV = ("gh", "auth", "token", "--hostname", "github.com")


class Found(NamedTuple):
    """login: None with a problem, a sentence for people."""

    client: Client
    store: Store
    login: Login | None
    problem: str = ""


def store_of(client: Client, environ: Mapping[str, str], platform: str = sys.platform) -> Store | None:
    """Where the client keeps its login; None if the environment names no place."""
    path = client.path(environ)
    if path is None:
        return None
    if client.keychain is not None and platform == "darwin" and not os.path.lexists(path):
        return InKeychain(client.keychain(environ), path, environ.get("USER") or "claude-code-user")
    return InFile(path)


def find(name: str, environ: Mapping[str, str], platform: str = sys.platform) -> Found | None:
    """The login that the client of this name keeps; None if it keeps none. Blocks on a keychain."""
    client = CLIENTS[name]
    store = store_of(client, environ, platform)
    if store is None:
        return None
    try:
        content = store.read()
    except BadLogin as error:
        return Found(client, store, None, f"{store.place}: {error}")
    login = None if content is None else parsed(client, content)
    return None if login is None else Found(client, store, login)


def parsed(client: Client, content: Content) -> Login | None:
    """The login in a file's content, if it is one that can be in a header."""
    login = client.parse(content)
    if login is None or not all(_is_word(text) for text in (login.access, login.account)):
        return None
    return login


def gh(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What prints the token of a `gh` that is logged in; empty where it is not there or never was."""
    config = environ.get("GH_CONFIG_DIR") or ""
    if not config:
        base = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
        config = f"{base}/gh"
    places = environ.get("PATH", "").split(":")
    there = any(place.startswith("/") and os.access(f"{place}/gh", os.X_OK) for place in places)
    return GH_ARGV if there and _is_logged_in(Path(config, "hosts.yml")) else ()


def _is_logged_in(hosts: Path) -> bool:
    """Whether `gh` has ever had a token for github.com: otherwise it would complain at every session."""
    try:
        lines = files.read(hosts, 1 << 20).splitlines()
    except OSError:
        return False
    return any(line.startswith(b"github.com:") for line in lines)


def again(name: str) -> str:
    """What a person types to have the login of this name."""
    return "gh auth login" if name == "gh" else CLIENTS[name].again


def is_renewed(name: str) -> bool:
    """Whether it is the login of a client that asks an issuer for new tokens."""
    return name in CLIENTS and bool(CLIENTS[name].endpoints)


def watched(environ: Mapping[str, str]) -> list[Path]:
    """The files whose change means another login."""
    return [path for client in (CLAUDE, CODEX, GEMINI) if (path := client.path(environ)) is not None]


def _is_word(text: str) -> bool:
    return text.isascii() and all(0x20 < ord(character) < 0x7F for character in text) and len(text) <= 16384
