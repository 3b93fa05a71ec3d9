"""HTTP downloads for the host side: to a file, resumed where a cut one stopped, checked before they count.

Knows nothing of agents. The standard library's client is enough here: one large file, one connection.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clauderon.errors import ClauderonError

if TYPE_CHECKING:
    import urllib.request

# (bytes done, bytes in all or None, what is going on)
Progress = Callable[[float | None, float | None, str], None]

CHUNK_BYTES = 1 << 20
CONNECT_TIMEOUT_S = 10.0
# With what npm gets after it, ten seconds in all without a network.
TEXT_S = 4.0
_ATTEMPTS = 3


class FetchError(ClauderonError):
    """The agent could not be fetched; the message says from where and why."""

    code = "agent-fetch"


class Unreachable(FetchError):
    """Nobody answered, or not with a success: another source may."""


def text(url: str, environ: Mapping[str, str]) -> str:
    """A small text document, here within TEXT_S. Raises Unreachable."""
    came: list[str | Exception] = []

    def ask() -> None:
        try:
            with _open(url, environ, {}) as answer:
                came.append(str(answer.read(CHUNK_BYTES).decode("utf-8")))
        except (OSError, ValueError) as error:
            came.append(error)

    # A name that nobody resolves and an address that drops everything have no timeout that holds for them together.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(TEXT_S)
    found = came[0] if came else TimeoutError(f"no answer within {TEXT_S:g} s")
    if isinstance(found, Exception):
        raise _unreachable(url, found) from found
    return found


def file(
    url: str,
    target: Path,
    *,
    size: int,
    sha256: str,
    environ: Mapping[str, str],
    progress: Progress,
    title: str,
) -> None:
    """Download to `target`, going on with what an earlier try left in `<target>.part`, and verify.

    Raises Unreachable (the part is kept), FetchError for a wrong checksum or a full disk (the part is removed).
    """
    part = target.with_name(f"{target.name}.part")
    have = part.stat().st_size if part.exists() else 0
    if have > size:
        part.unlink()
        have = 0
    require_space(target.parent, size - have, title)
    for attempt in range(_ATTEMPTS):
        try:
            _append(url, part, size, environ, progress, title)
            break
        except OSError as error:
            if error.errno == errno.ENOSPC:
                part.unlink(missing_ok=True)
                raise disk_full(target.parent, title) from error
            if attempt + 1 == _ATTEMPTS:
                raise _unreachable(url, error) from error
    found = hash_file(part, "sha256").hex()
    if found != sha256 or part.stat().st_size != size:
        part.unlink()
        raise FetchError(
            f"fetch {title}",
            f"{url} has the checksum {found[:16]}..., the manifest says {sha256[:16]}...; it was thrown away",
            hint="try again; if it stays, something between here and there changes downloads",
        )
    part.replace(target)


def _append(
    url: str, part: Path, size: int, environ: Mapping[str, str], progress: Progress, title: str
) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have == size:
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    with _open(url, environ, headers) as answer:
        # A server may ignore the range and send the whole.
        going_on = have and answer.status == 206
        done = have if going_on else 0
        with part.open("ab" if going_on else "wb") as out:
            while chunk := answer.read(CHUNK_BYTES):
                out.write(chunk)
                done += len(chunk)
                progress(done, size, f"Fetching {title}")
            # A name on the disk says that the whole file is.
            os.fsync(out.fileno())
    if done < size:
        raise ConnectionError(f"the connection ended after {done} of {size} bytes")


def _open(url: str, environ: Mapping[str, str], headers: dict[str, str]) -> Any:
    import http.client
    import urllib.error
    import urllib.request

    try:
        return _opener(environ).open(urllib.request.Request(url, headers=headers), timeout=CONNECT_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            raise ConnectionError(f"the server answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        # The reason is the OSError inside, or a text.
        raise (error.reason if isinstance(error.reason, OSError) else OSError(str(error.reason))) from error
    except http.client.HTTPException as error:
        raise ConnectionError(f"not an HTTP answer: {error!r}") from error


def _opener(environ: Mapping[str, str]) -> urllib.request.OpenerDirector:
    """A client with the proxies and the CA file of `environ`, not of the process."""
    import urllib.request

    from clauderon import tls

    proxies = {
        scheme: environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY", "")
        for scheme in ("http", "https", "no")
    }
    context = tls.client_context()
    if cafile := environ.get("SSL_CERT_FILE"):
        context.load_verify_locations(cafile=cafile)
    else:
        context.load_default_certs()
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({scheme: url for scheme, url in proxies.items() if url}),
        urllib.request.HTTPSHandler(context=context),
    )


def hash_file(path: Path, algorithm: str) -> bytes:
    """The digest of a file's content, raw bytes. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).digest()


def require_space(folder: Path, need_bytes: int, title: str) -> None:
    """Raises FetchError if the disk has less than `need_bytes` left."""
    if shutil.disk_usage(folder).free < need_bytes:
        raise disk_full(folder, title)


def disk_full(folder: Path, title: str) -> FetchError:
    """The error for a download that the disk has no room for, with what is free there in MiB."""
    free_mib = shutil.disk_usage(folder).free >> 20
    return FetchError(
        f"fetch {title}", f"the disk of {folder} is full ({free_mib} MiB left)", hint="clauderon clean-cache"
    )


def _unreachable(url: str, error: Exception) -> Unreachable:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    host = url.split("/")[2]
    return Unreachable(f"fetch {url}", reason, hint=f"curl -sSI https://{host}/")


def fsync_folder(path: Path) -> None:
    """Make a rename in the folder survive a crash."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
