"""Parts of the model API's stand-in that are not its protocol: which keys it takes, what it keeps, its TLS."""

from __future__ import annotations

import hmac
import json
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

HOSTS = (
    "api.anthropic.com",
    "api.openai.com",
    "chatgpt.com",
    "generativelanguage.googleapis.com",
    "cloudcode-pa.googleapis.com",
    "oauth2.googleapis.com",
    "api.githubcopilot.com",
    "api.github.com",
    "dashscope.aliyuncs.com",
    "localhost",
    "host.docker.internal",
    "127.0.0.1",
)
CREDENTIAL_HEADERS = ("x-api-key", "authorization", "x-goog-api-key", "cookie")


@dataclass(frozen=True)
class Keys:
    """The credentials each API takes; an empty one is never accepted."""

    anthropic: str = "sk-ant-test-not-a-real-key-0001"
    anthropic_oauth: str = "sk-ant-oat01-test-not-a-real-token-0001"
    openai: str = "sk-test-not-a-real-key-0001"
    google: str = "AIza-test-not-a-real-key-0001"
    chatgpt: str = ""
    google_login: str = ""
    github: str = "github_pat_test_not_a_real_token_0001"

    def accepts(self, path: str, headers: Message) -> bool:
        """Whether a request carries the credential of the API it asks, told by its host, else by its path."""
        host = headers.get("Host", "").partition(":")[0]
        bearer = headers.get("Authorization", "").removeprefix("Bearer ")
        if host == "cloudcode-pa.googleapis.com":
            return _same(bearer, self.google_login)
        if host.endswith("googleapis.com") or path.startswith("/v1beta/"):
            return _same(headers.get("x-goog-api-key", ""), self.google)
        if path.startswith("/backend-api/codex/"):
            return _same(bearer, self.chatgpt) and headers.get("ChatGPT-Account-ID") == "account-test"
        if host in ("api.githubcopilot.com", "api.github.com"):
            return _same(bearer, self.github)
        if host == "api.openai.com" or path.startswith("/v1/responses"):
            return _same(bearer, self.openai)
        return _same(headers.get("x-api-key", ""), self.anthropic) or _same(bearer, self.anthropic_oauth)


def _same(given: str, wanted: str) -> bool:
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())


@dataclass
class Record:
    """What was seen, in memory and, if asked for, in a file."""

    path: Path | None
    seen: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **fact: Any) -> None:
        with self.lock:
            self.seen.append(fact)
            if self.path is not None:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(fact) + "\n")


def tls(hosts: Iterable[str], directory: Path | None) -> tuple[ssl.SSLContext, bytes]:
    """A server context and the CA to trust; the CA is kept in `directory` so that it survives a restart."""
    import trustme

    files = None if directory is None else (directory / "stand-in-ca.pem", directory / "stand-in-ca-key.pem")
    if files is not None and all(file.exists() for file in files):
        ca = trustme.CA.from_pem(files[0].read_bytes(), files[1].read_bytes())
    else:
        ca = trustme.CA(organization_name="model API stand-in")
        if files is not None:
            files[0].write_bytes(ca.cert_pem.bytes())
            files[1].touch(0o600)
            files[1].write_bytes(ca.private_key_pem.bytes())
    leaf = ca.issue_cert(*hosts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    leaf.configure_cert(context)
    return context, ca.cert_pem.bytes()
