"""Servers as real clients expect them, behind one TLS port and told apart by Host: git, a Python index, an npm
registry, a crates index, a WebSocket, files. Each says what it was asked in `seen`."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import io
import json
import os
import ssl
import struct
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trustme

NAMES = (
    "api.anthropic.com",
    "github.com",
    "files.test",
    "pypi.test",
    "npm.test",
    "crates.test",
    "ws.test",
)
BIG = bytes(range(256)) * 8192  # 2 MiB that no compression makes small on the way
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class Site:
    """projects: where bare git repositories stand. git_token: what Basic must carry for github.com."""

    projects: Path
    git_token: str
    ca_file: Path = Path()
    port: int = 0
    seen: list[tuple[str, str, str, dict[str, str]]] = field(default_factory=list)

    def asked(self, host: str) -> list[dict[str, str]]:
        """The headers of every request for `host`."""
        return [headers for name, _method, _path, headers in self.seen if name == host]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    site: Site

    def handle_error(self, *_arguments: object) -> None:
        pass


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_arguments: object) -> None:
        pass

    def _serve(self) -> None:
        host = self.headers.get("Host", "").partition(":")[0]
        self.server.site.seen.append((host, self.command, self.path, dict(self.headers.items())))
        serve = {
            "github.com": self._git,
            "pypi.test": self._python_index,
            "npm.test": self._npm_registry,
            "crates.test": self._crates,
            "ws.test": self._websocket,
        }.get(host, self._files)
        serve()

    do_GET = do_POST = do_PUT = do_HEAD = _serve

    def _answer(self, body: bytes, kind: str = "application/json", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _files(self) -> None:
        if self.path == "/big":
            self._answer(BIG, "application/octet-stream")
            return
        body = self._body()
        found = {"path": self.path, "length": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        self._answer(json.dumps(found).encode())

    def _git(self) -> None:
        """The real git, by its CGI program."""
        body = self._body()
        wanted = base64.b64encode(f"x-access-token:{self.server.site.git_token}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self._answer(b"who are you?", "text/plain", 401, WWW_Authenticate='Basic realm="git"')
            return
        path, _, query = self.path.partition("?")
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.site.projects),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REMOTE_USER": "tester",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], env=environ, input=body, capture_output=True, check=True
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200 OK").split()[0])
        self._answer(answer, headers.pop("Content-Type"), status, **headers)

    def _python_index(self) -> None:
        wheel = python_wheel()
        name = "tiny-1.0-py3-none-any.whl"
        if self.path.endswith(name):
            self._answer(wheel, "application/octet-stream")
        elif self.path == "/simple/tiny/":
            digest = hashlib.sha256(wheel).hexdigest()
            self._answer(f'<a href="/files/{name}#sha256={digest}">{name}</a>'.encode(), "text/html")
        else:
            self._answer(b"", "text/plain", 404)

    def _npm_registry(self) -> None:
        tarball = npm_tarball()
        if self.path.endswith(".tgz"):
            self._answer(tarball, "application/octet-stream")
        elif self.path == "/tiny":
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
            dist = {"tarball": "https://npm.test/tiny/-/tiny-1.0.0.tgz", "integrity": integrity}
            version = {"name": "tiny", "version": "1.0.0", "dist": dist}
            document = {"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
            self._answer(json.dumps(document).encode())
        else:
            self._answer(b"{}", status=404)

    def _crates(self) -> None:
        crate = rust_crate()
        if self.path == "/index/config.json":
            self._answer(json.dumps({"dl": "https://crates.test/dl"}).encode())
        elif self.path == "/index/ti/ny/tiny":
            checksum = hashlib.sha256(crate).hexdigest()
            line = {
                "name": "tiny",
                "vers": "1.0.0",
                "deps": [],
                "cksum": checksum,
                "features": {},
                "yanked": False,
            }
            self._answer(json.dumps(line).encode() + b"\n")
        elif self.path.startswith("/dl/"):
            self._answer(crate, "application/octet-stream")
        else:
            self._answer(b"", "text/plain", 404)

    def _websocket(self) -> None:
        """Echoes each text or binary frame until the client closes."""
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key + _WEBSOCKET_GUID).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        while True:
            first, second = self.rfile.read(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", self.rfile.read(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self.rfile.read(8))
            mask = self.rfile.read(4)
            data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(length)))
            size = bytes([length]) if length < 126 else b"\x7e" + struct.pack("!H", length)
            self.wfile.write(bytes([first]) + size + data)
            if first & 0x0F == 8:
                return


def python_wheel() -> bytes:
    """`tiny` 1.0, which has one line in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(zipfile.ZipInfo("tiny.py"), "word = 'from the index'\n")
        meta = "tiny-1.0.dist-info"
        wheel.writestr(
            zipfile.ZipInfo(f"{meta}/METADATA"), "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
        )
        tags = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(zipfile.ZipInfo(f"{meta}/WHEEL"), tags)
        wheel.writestr(
            zipfile.ZipInfo(f"{meta}/RECORD"),
            f"tiny.py,,\n{meta}/METADATA,,\n{meta}/WHEEL,,\n{meta}/RECORD,,\n",
        )
    return file.getvalue()


def _archive(files: Mapping[str, str]) -> bytes:
    """A .tar.gz, the same bytes every time."""
    import gzip

    file = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return file.getvalue()


def npm_tarball() -> bytes:
    manifest = json.dumps({"name": "tiny", "version": "1.0.0", "main": "index.js"})
    return _archive(
        {"package/package.json": manifest, "package/index.js": "module.exports = 'from the registry'\n"}
    )


def rust_crate() -> bytes:
    manifest = '[package]\nname = "tiny"\nversion = "1.0.0"\nedition = "2021"\n'
    return _archive({"tiny-1.0.0/Cargo.toml": manifest, "tiny-1.0.0/src/lib.rs": ""})


@contextlib.contextmanager
def serving(directory: Path, git_token: str) -> Iterator[Site]:
    """All of it on one loopback port, with a CA of its own."""
    site = Site(directory / "projects", git_token, directory / "upstream-ca.pem")
    site.projects.mkdir()
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(site.ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*NAMES).configure_cert(context)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.site = site
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
