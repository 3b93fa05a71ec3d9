"""A vendor's release channel (`known.kind.Channel`): what it offers, and its binaries.

`<url>/<latest|stable>` is a version, `<url>/<version>/manifest.json` has checksum (sha256) and size of each platform,
`<url>/<version>/<platform>/<file>` is the binary.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from clauderon.agents import download
from clauderon.agents.download import FetchError, Progress, Unreachable
from clauderon.known.kind import Channel

_VERSION = re.compile(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?\Z")


def base_url(channel: Channel, environ: Mapping[str, str]) -> str:
    """The release channel: the mirror in the environment, else the vendor; no slash at its end."""
    return (environ.get(channel.variable) or channel.url).rstrip("/")


def version(channel: Channel, tag: str, environ: Mapping[str, str]) -> str:
    """The version that `latest` or `stable` means. Raises Unreachable."""
    url = f"{base_url(channel, environ)}/{tag}"
    found = download.text(url, environ).strip()
    if not _VERSION.match(found):
        raise Unreachable(f"fetch {url}", f"not a version: {found[:40]!a}")
    return found


def fetch(
    channel: Channel,
    version: str,
    platform: str,
    folder: Path,
    *,
    environ: Mapping[str, str],
    progress: Progress,
    title: str,
) -> None:
    """Fetch one platform's binary as the channel's `file` in `folder`; an earlier try that was cut is gone on with.

    Raises Unreachable, and FetchError for a platform that is not there, a wrong checksum, a full disk.
    """
    url = f"{base_url(channel, environ)}/{version}/manifest.json"
    text = download.text(url, environ)
    try:
        platforms = json.loads(text)["platforms"]
        entry = platforms.get(platform)
        if entry is not None:
            size, sha256 = int(entry["size"]), str(entry["checksum"]).lower()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreachable(f"fetch {url}", f"not a manifest: {error!r}") from error
    if entry is None:
        known = ", ".join(sorted(platforms))
        raise FetchError(f"fetch {title}", f"version {version} is not made for {platform}, only for {known}")
    target = folder / channel.file
    download.file(
        f"{base_url(channel, environ)}/{version}/{platform}/{channel.file}",
        target,
        size=size,
        sha256=sha256,
        environ=environ,
        progress=progress,
        title=title,
    )
    target.chmod(0o755)
