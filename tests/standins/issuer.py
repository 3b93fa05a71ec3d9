"""An issuer of tokens whose refresh tokens work once: whoever uses one a second time loses the whole family.

Speaks TLS with a CA of its own, for the clients' hosts, and serves what a model API would say of an access token.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import json
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

HOSTS = (
    *("platform.claude.com", "auth.openai.com", "api.anthropic.com", "chatgpt.com"),
    *("oauth2.googleapis.com", "cloudcode-pa.googleapis.com"),
)
NOTHING = 0  # a status: the connection ends instead of an answer
CLIENT_ID = "123456789012-testnotarealclientatall0.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-test-not-a-real-secret"
# As Gemini CLI's package has it.
GEMINI_CODE = f'var OAUTH_CLIENT_ID = "{CLIENT_ID}";\nvar OAUTH_CLIENT_SECRET = "{CLIENT_SECRET}";\n'


@dataclass
class Issuer:
    """One family of tokens. begun: how many requests came. asked: the refresh tokens, once they are answered. bearers: (host, path, headers) of other requests.

    life_s: of the access tokens it gives. delay_s: before it answers. skew_s: how far its clock is ahead of ours.
    """

    port: int
    ca_file: Path
    life_s: float = 3600.0
    delay_s: float = 0.0
    skew_s: float = 0.0
    status: int = 200  # of every answer that is not 200
    number: int = 0
    revoked: bool = False
    begun: int = 0
    asked: list[str] = field(default_factory=list)
    bearers: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    ends: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def now(self) -> float:
        return time.time() + self.skew_s

    @property
    def refresh(self) -> str:
        """The one refresh token that is good."""
        return f"sk-ant-ort01-test-not-a-real-token-{self.number:04d}"

    @property
    def reused(self) -> int:
        return len(self.asked) - len(set(self.asked))

    def issue(self) -> str:
        """A new access token; a JWT, which every client takes."""
        end = self.now + self.life_s
        claims = {
            "exp": int(end),
            "iat": int(self.now),
            "n": len(self.ends),
            "https://api.openai.com/auth": {"chatgpt_account_id": "account-test", "chatgpt_plan_type": "pro"},
        }
        parts = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in ({"alg": "none"}, claims)
        ]
        token = ".".join((*parts, f"test-not-a-real-signature-of-this-token-{self.number:04d}"))
        self.ends[token] = end
        return token

    def is_good(self, bearer: str) -> bool:
        return not self.revoked and self.ends.get(bearer, 0.0) > self.now

    def grant(self, refresh: str) -> tuple[int, dict[str, Any]]:
        """What the token endpoint answers."""
        self.begun += 1
        with self.lock:
            time.sleep(self.delay_s)
            self.asked.append(refresh)
            if self.status != 200:
                return self.status, {"error": "server_error"}
            if self.revoked or refresh != self.refresh:
                self.revoked = True
                return 400, {"error": "invalid_grant"}
            self.number += 1
            access = self.issue()
            return 200, {
                "token_type": "Bearer",
                "access_token": access,
                "id_token": access,
                "refresh_token": self.refresh,
                "expires_in": self.life_s,
            }

    def claude_login(self, left_s: float) -> dict[str, Any]:
        """What Claude Code keeps, with so many seconds left."""
        return {
            "claudeAiOauth": {
                "accessToken": self.issue(),
                "refreshToken": self.refresh,
                "expiresAt": int((time.time() + left_s) * 1000),
                "scopes": ["user:inference", "user:profile"],
                "subscriptionType": "max",
                "rateLimitTier": "default_claude_max_20x",
                "somethingNew": {"kept": True},
            },
            "mcpOAuth": {"other": "kept"},
        }

    def codex_login(self, left_s: float) -> dict[str, Any]:
        """What Codex keeps, likewise: its token says when it ends, `last_refresh` when it was written."""
        life, self.life_s = self.life_s, 3600.0
        access = self.issue()
        self.life_s = life
        written = time.gmtime(time.time() + left_s - 3600.0)
        return {
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": None,
            "tokens": {
                "id_token": access,
                "access_token": access,
                "refresh_token": self.refresh,
                "account_id": "account-test",
            },
            "last_refresh": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", written),
            "somethingNew": {"kept": True},
        }

    def gemini_login(self, left_s: float) -> dict[str, Any]:
        """What Gemini CLI keeps, likewise."""
        return {
            "access_token": self.issue(),
            "refresh_token": self.refresh,
            "scope": "openid https://www.googleapis.com/auth/cloud-platform",
            "token_type": "Bearer",
            "id_token": self.issue(),
            "expiry_date": int((time.time() + left_s) * 1000),
            "somethingNew": {"kept": True},
        }

    @property
    def logins(self) -> dict[str, Callable[[float], dict[str, Any]]]:
        """What makes each client's login, by its name."""
        return {"claude": self.claude_login, "codex": self.codex_login, "gemini": self.gemini_login}

    def claude_itself(self, path: Path) -> None:
        """What Claude Code does at the end of its token: its lock, its file afresh, a request, its file in place."""
        lock = path.parent / ".oauth_refresh.lock"
        while True:
            try:
                lock.mkdir()
                break
            except FileExistsError:
                time.sleep(0.01)
        try:
            content = json.loads(path.read_text())
            kept = content["claudeAiOauth"]
            if kept["expiresAt"] / 1000 > time.time() + 300:
                return
            answer = self._ask(json.dumps({"refresh_token": kept["refreshToken"]}).encode())
            kept |= {"accessToken": answer["access_token"], "refreshToken": answer["refresh_token"]}
            kept["expiresAt"] = int((time.time() + answer["expires_in"]) * 1000)
            draft = path.with_suffix(".theirs")
            draft.write_text(json.dumps(content))
            draft.chmod(0o600)
            draft.replace(path)
        finally:
            lock.rmdir()

    def _ask(self, body: bytes) -> dict[str, Any]:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with socket.create_connection(("127.0.0.1", self.port)) as raw:
            connection = http.client.HTTPSConnection(HOSTS[0], context=context)
            connection.sock = context.wrap_socket(raw, server_hostname=HOSTS[0])
            connection.request("POST", "/v1/oauth/token", body)
            found: dict[str, Any] = json.load(connection.getresponse())
            connection.close()
            return found


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        issuer: Issuer = self.server.issuer  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        host = self.headers.get("host", "")
        if self.path == "/token":
            form = dict(urllib.parse.parse_qsl(body.decode()))
            known = (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
            status, answer = 401, dict[str, Any](error="invalid_client")
            if known and form.get("grant_type") == "refresh_token":
                status, answer = issuer.grant(form.get("refresh_token", ""))
        elif self.path in ("/v1/oauth/token", "/oauth/token"):
            try:
                refresh = json.loads(body).get("refresh_token", "")
            except ValueError:
                refresh = body.decode("latin-1")
            status, answer = issuer.grant(refresh)
        else:
            issuer.bearers.append((host, self.path, {k.lower(): v for k, v in self.headers.items()}))
            good = issuer.is_good(self.headers.get("authorization", "").removeprefix("Bearer "))
            status, answer = (
                (200, {"path": self.path}) if good else (401, {"error": {"type": "authentication_error"}})
            )
        if status == NOTHING:
            self.close_connection = True
            return
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _serve

    def log_message(self, *_arguments: object) -> None:
        """Nothing on stderr."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_arguments: object) -> None:
        """A client that was killed is what these tests are about."""


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[Issuer]:
    ca = trustme.CA()
    ca_file = directory / "issuer-ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*HOSTS).configure_cert(context)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    issuer = Issuer(server.server_address[1], ca_file)
    server.issuer = issuer  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
