"""What `git config --list -z` said, as facts: remotes, identity, filters. Parsing only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

# Settings that decide how a file looks on disk: inside and outside must agree, or `git status` would not.
_CHECKOUT_KEYS = (
    "core.autocrlf",
    "core.eol",
    "core.filemode",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.safecrlf",
    "core.sparsecheckout",
    "core.sparsecheckoutcone",
    "core.symlinks",
    "index.sparse",
)
# `required` alone stops a checkout half-way, at the first file whose attributes name such a filter.
_FILTER_KEYS = ("clean", "smudge", "process", "required")
# Who commits in a session when git knows nobody on the host: an agent that cannot commit loses its work.
NOBODY = ("clauderon", "clauderon@localhost")
_TRUE = frozenset({"true", "yes", "on", "1"})


class Remote(NamedTuple):
    """A remote as the container may know it: `url` after the user's own `insteadOf`, without a password in it."""

    name: str
    url: str
    push_url: str
    fetch: tuple[str, ...]


class Settings(NamedTuple):
    """The user's effective git configuration, as far as a session needs it.

    filters: names of configured content filters. checkout: settings that decide how files look on disk.
    drivers: programs of filters, merges and git-lfs's extensions, by their key.
    fsck: `receive.fsck.*`, as `id=severity`.
    diffs: names of diff drivers, with which of textconv and command they have.
    external_diff: whether `diff.external` is set. worktree_config: whether each worktree has a configuration.
    attributes_file, excludes_file: `core.attributesFile` and `core.excludesFile` as written, None if unset.
    hooks_path: core.hooksPath as written, empty if unset. promisor: the remote a partial clone fetches from.
    """

    remotes: tuple[Remote, ...]
    user_name: str
    user_email: str
    filters: tuple[str, ...]
    checkout: Mapping[str, str]
    hooks_path: str
    promisor: str
    promisor_filter: str
    drivers: tuple[tuple[str, str], ...]
    fsck: tuple[str, ...]
    diffs: Mapping[str, tuple[str, ...]]
    external_diff: bool
    worktree_config: bool
    attributes_file: str | None
    excludes_file: str | None


def parse_settings(output: bytes) -> Settings:
    """Read `git config --list -z`: `key LF value NUL`, or `key NUL` for a bare key (which means true)."""
    values: dict[str, list[str]] = {}
    for item in output.decode("utf-8", "surrogateescape").split("\0"):
        if item:
            key, newline, value = item.partition("\n")
            values.setdefault(key, []).append(value if newline else "true")

    def last(key: str) -> str:
        return values.get(key, [""])[-1]

    promisor = last("extensions.partialclone")
    promisors = [key for key in values if key.startswith("remote.") and key.endswith(".promisor")]
    if not promisor and promisors:
        promisor = promisors[-1][len("remote.") : -len(".promisor")]
    return Settings(
        remotes=tuple(_remotes(values)),
        user_name=last("user.name"),
        user_email=last("user.email"),
        filters=tuple(sorted(set(_subsections(values, "filter", _FILTER_KEYS)))),
        checkout={key: values[key][-1] for key in _CHECKOUT_KEYS if key in values},
        hooks_path=last("core.hookspath"),
        promisor=promisor,
        promisor_filter=last(f"remote.{promisor}.partialclonefilter") if promisor else "",
        drivers=tuple(
            (key, value[-1])
            for key, value in values.items()
            if (key.startswith("filter.") and key.endswith((".clean", ".smudge", ".process")))
            or (key.startswith("merge.") and key.endswith(".driver") and key.count(".") >= 2)
            or key.startswith("lfs.extension.")
        ),
        fsck=tuple(
            f"{key.removeprefix('receive.fsck.')}={value[-1]}"
            for key, value in values.items()
            if key.startswith("receive.fsck.") and value[-1] in ("error", "warn", "ignore")
        ),
        diffs=_diffs(values),
        external_diff="diff.external" in values,
        worktree_config=is_true(last("extensions.worktreeconfig")),
        attributes_file=values.get("core.attributesfile", [None])[-1],
        excludes_file=values.get("core.excludesfile", [None])[-1],
    )


class Origins(NamedTuple):
    """values: the last value of each key. files: where the configuration is read from, and what it would include if
    that existed; as written, so relative paths are relative to where git ran."""

    values: Mapping[str, str]
    files: tuple[Path, ...]


def parse_origins(output: bytes) -> tuple[Origins, bytes]:
    """Read `git config --list --show-origin -z`; with it the same list without origins, for `parse_settings`."""
    fields = output.split(b"\0")[:-1]
    values: dict[str, str] = {}
    files: dict[Path, None] = {}
    for origin, item in zip(fields[::2], fields[1::2], strict=True):
        key, newline, value = item.decode("utf-8", "surrogateescape").partition("\n")
        values[key] = value if newline else "true"
        kind, _, name = os.fsdecode(origin).partition(":")
        source = Path(name)
        if kind == "file":
            files[source] = None
        if key == "include.path" or (key.startswith("includeif.") and key.endswith(".path")):
            files[source.parent / Path(value).expanduser()] = None
    return Origins(values, tuple(files)), b"".join(item + b"\0" for item in fields[1::2])


def standard_files(env: Mapping[str, str]) -> tuple[Path, ...]:
    """Where git looks for a person's and a machine's configuration, whether or not anything is there yet."""
    found = [env.get("GIT_CONFIG_SYSTEM", ""), env.get("GIT_CONFIG_GLOBAL", "")]
    if "HOME" in env:
        found += [f"{env['HOME']}/.gitconfig", f"{env['HOME']}/.config/git/config"]
    if env.get("XDG_CONFIG_HOME"):
        found.append(f"{env['XDG_CONFIG_HOME']}/git/config")
    return tuple(Path(name) for name in found if name)


def is_true(value: str) -> bool:
    """Whether git takes this value for true."""
    return value.strip().lower() in _TRUE


def _diffs(values: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    kinds = ("textconv", "command")
    return {
        name: tuple(kind for kind in kinds if f"diff.{name}.{kind}" in values)
        for name in sorted(set(_subsections(values, "diff", kinds)))
    }


def _subsections(values: Iterable[str], section: str, variables: tuple[str, ...]) -> Iterable[str]:
    for key in values:
        if key.startswith(f"{section}.") and key.count(".") >= 2:
            name, _, variable = key[len(section) + 1 :].rpartition(".")
            if variable in variables:
                yield name


def _remotes(values: Mapping[str, list[str]]) -> Iterable[Remote]:
    rewrites = _rewrites(values, "insteadof")
    push_rewrites = _rewrites(values, "pushinsteadof")
    for name in sorted(set(_subsections(values, "remote", ("url",)))):
        written = values[f"remote.{name}.url"][0]
        url = without_password(_rewritten(written, rewrites))
        if f"remote.{name}.pushurl" in values:
            push = _rewritten(values[f"remote.{name}.pushurl"][0], rewrites)
        else:
            # git uses pushInsteadOf only where no pushurl is written.
            push = _rewritten(written, push_rewrites) if _matches(written, push_rewrites) else url
        fetch = tuple(values.get(f"remote.{name}.fetch", ()))
        yield Remote(name, url, without_password(push), fetch)


def _rewrites(values: Mapping[str, list[str]], variable: str) -> list[tuple[str, str]]:
    return [
        (prefix, key[len("url.") : -len(variable) - 1])
        for key, prefixes in values.items()
        if key.startswith("url.") and key.endswith(f".{variable}")
        for prefix in prefixes
    ]


def _matches(url: str, rewrites: list[tuple[str, str]]) -> bool:
    return any(url.startswith(prefix) for prefix, _ in rewrites)


def _rewritten(url: str, rewrites: list[tuple[str, str]]) -> str:
    """The longest matching `insteadOf` wins, as in git."""
    fitting = [(prefix, base) for prefix, base in rewrites if url.startswith(prefix)]
    if not fitting:
        return url
    prefix, base = max(fitting, key=lambda pair: len(pair[0]))
    return base + url[len(prefix) :]


def without_password(url: str) -> str:
    """`url` without a credential in it: no userinfo over HTTP, no password elsewhere (an ssh user name stays)."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    userinfo, at, host = authority.rpartition("@")
    if not separator or not at:
        return url
    user = userinfo.partition(":")[0]
    kept = "" if scheme.lower().startswith(("http", "ftp")) or not user else f"{user}@"
    return f"{scheme}://{kept}{host}{slash}{path}"
