"""A release channel and an npm registry of the test's own, on loopback, and the faults they can be asked for."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Source:
    """Documents by path. `log` has (path, Range header) of every request."""

    documents: dict[str, bytes] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    # After so many bytes of a document its connection is closed, once for each entry.
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    url: str = ""

    def asked(self, part: str) -> list[str]:
        """The Range headers of the requests whose path has `part` in it."""
        return [header for path, header in self.log if part in path]


@contextlib.contextmanager
def served(source: Source) -> Iterator[Source]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing on stderr."""

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            source.log.append((self.path, wanted))
            body = source.documents.get(self.path)
            if body is None:
                self.send_error(404)
                return
            start = 0
            if wanted and source.ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            cut = source.cuts.pop(0) if source.cuts and len(body) > 1000 else None
            self.wfile.write(body[start:] if cut is None else body[start : start + cut])
            if cut is not None:
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    source.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield source
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def publish_release(
    source: Source, version: str, binary: bytes, *, platform: str = "linux-x64", **wrong: object
) -> None:
    """Put a version on the channel. wrong: manifest fields to say something else than the truth."""
    entry = {"checksum": hashlib.sha256(binary).hexdigest(), "size": len(binary), **wrong}
    source.documents |= {
        "/latest": version.encode(),
        "/stable": version.encode(),
        f"/{version}/manifest.json": json.dumps(
            {"version": version, "platforms": {platform: entry}}
        ).encode(),
        f"/{version}/{platform}/claude": binary,
    }


def publish_package(
    source: Source,
    name: str,
    version: str,
    files: dict[str, bytes],
    *,
    tags: dict[str, str] | None = None,
    integrity: str = "",
    **manifest: object,
) -> None:
    """Put a package on the registry, in the form npm reads. manifest: further keys of its `package.json`."""
    if manifest:
        said = {"name": name, "version": version, **manifest}
        files = {**files, "package/package.json": json.dumps(said).encode()}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    tarball = packed.getvalue()
    digest = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    place = f"/{name}/-/{version}.tgz"
    versions = {
        version: {
            "name": name,
            "version": version,
            **manifest,
            "dist": {"tarball": source.url + place, "integrity": integrity or f"sha512-{digest}"},
        }
    }
    packument = {"name": name, "dist-tags": tags or {"latest": version}, "versions": versions}
    source.documents[place] = tarball
    source.documents["/" + name.replace("/", "%2f")] = json.dumps(packument).encode()
