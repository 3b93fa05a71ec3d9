"""What a failed docker call means, from its stderr, in words and with the page's remedies. Pure.

Seen with clients 20.10 and 28 against engine 20.10, and podman 4; the transcripts hold the originals.
"""

from __future__ import annotations

import re

from clauderon.errors import BackendError, ClauderonError, CommandFailed, Conflict

_UNREACHABLE = re.compile(
    r"Cannot connect to the Docker daemon|Is the docker daemon running|error during connect"
    r"|connection refused|context deadline exceeded|failed to connect to the docker API"
    r"|unable to connect to Podman",
    re.IGNORECASE,
)
# What the engine, or podman, says of a registry.
_ABOUT_OTHERS = re.compile(r"Error response from daemon|pinging container registry")
_DENIED = re.compile(
    r"permission denied while trying to connect|dial unix .*permission denied", re.IGNORECASE
)
_NO_CONTEXT = re.compile(
    r'context "?[^"]*"?(?:: | does )not (?:found|exist)|context not found', re.IGNORECASE
)
_NAME_CONFLICT = re.compile(r'The container name "?/?(?P<name>[^" ]+)"? is already in use')
_PORT_TAKEN = re.compile(
    r"port is already allocated|address already in use.*bind|bind: address already in use"
)
_NO_SUCH = re.compile(r"No such (?:object|image|container|network|volume)|not found", re.IGNORECASE)
_CPU_RANGE = re.compile(r"Range of CPUs is from [\d.]+ to (?P<most>[\d.]+)")
_ULIMIT = re.compile(r"error setting rlimit|setrlimit", re.IGNORECASE)
_NO_QUOTA = re.compile(r"--?storage-opt|pquota|storage option", re.IGNORECASE)
_DISK_FULL = re.compile(r"no space left on device", re.IGNORECASE)


def is_missing(failure: CommandFailed) -> bool:
    """Whether docker answered that the object does not exist (rather than that it could not look)."""
    text = failure.detail
    return bool(_NO_SUCH.search(text)) and not unreachable(text) and not _DENIED.search(text)


def unreachable(text: str) -> bool:
    """Whether docker could not reach its engine. An engine that answers may itself not reach a registry."""
    own = [line for line in text.splitlines() if not _ABOUT_OTHERS.search(line)]
    return bool(_UNREACHABLE.search("\n".join(own)))


def address_taken(failure: CommandFailed) -> bool:
    """Whether the container's address on its network is used by another container."""
    lines = failure.detail.strip().splitlines()
    return bool(lines) and any(
        re.search(r"Error response from daemon: Address already in use", line) for line in lines
    )


def network_changed(failure: CommandFailed) -> bool:
    """Whether the network is gone, or is no longer the one whose subnet was remembered."""
    return bool(
        re.search(
            r"network \S+ not found|invalid address|no configured subnet|not in subnet"
            r"|user specified IP address is supported only",
            failure.detail,
            re.IGNORECASE,
        )
    )


def network_half_made(failure: CommandFailed) -> bool:
    """Whether the network's subnet was docker's choice, so that no container can be given an address on it."""
    return "user specified IP address is supported only" in failure.detail


def most_cpus(failure: CommandFailed) -> str | None:
    """The engine's number of CPUs, if it refused a limit above it."""
    match = _CPU_RANGE.search(failure.detail)
    return match["most"] if match else None


def ulimit_refused(failure: CommandFailed) -> bool:
    """Whether the engine may not set a `--ulimit`: a rootless one, or one whose own limit is lower."""
    return bool(_ULIMIT.search(failure.detail))


def no_quota(failure: CommandFailed) -> bool:
    """Whether the engine cannot bound a container's files: that takes overlay2 on xfs with `pquota`."""
    return bool(_NO_QUOTA.search(failure.detail))


def no_container(what: str, session: str) -> BackendError:
    """The engine has lost the container of a session."""
    return BackendError(what, "the engine has no container for it", hint=f"clauderon start {session}")


def in_the_way(what: str, name: str, detail: str = "") -> Conflict:
    """A container that is not ours has a name that we need."""
    return Conflict(
        what,
        f"a container named {name} is in the way",
        hint="docker ps -a | grep clauderon",
        detail=detail,
    )


def explain(failure: CommandFailed, what: str) -> ClauderonError:
    """`failure` as an error a person can act on; `what` is what was attempted."""
    text = failure.detail
    if _DENIED.search(text):
        return BackendError(
            what,
            "permission denied at the Docker socket",
            hint="sudo usermod -aG docker $USER   # then log out and back in, or: newgrp docker",
            detail=_each_line_once(text),
        )
    if _NO_CONTEXT.search(text):
        return BackendError(what, "no such docker context", hint="docker context ls", detail=text)
    if unreachable(text):
        why = "the Docker engine cannot be reached"
        return BackendError(what, why, hint="docker info", detail=_each_line_once(text))
    match = _NAME_CONFLICT.search(text)
    if match:
        return in_the_way(what, match["name"], text)
    if _PORT_TAKEN.search(text):
        return Conflict(what, "a published port is in use", hint="docker ps", detail=text)
    if _DISK_FULL.search(text):
        return BackendError(what, "the engine's disk is full", hint="docker system df", detail=text)
    return BackendError(what, f"docker failed with status {failure.status}", detail=text)


def pull_failed(failure: CommandFailed, reference: str, offline: str) -> BackendError:
    """A refused pull, with what to try."""
    explained = explain(failure, f"pull {reference}")
    if explained.hint is None:
        text = failure.detail
        if "denied" in text or "unauthorized" in text:
            explained.why, explained.hint = "the registry refused it", "docker login"
        elif "manifest unknown" in text or "not found" in text:
            explained.why, explained.hint = (
                "the registry has no such image",
                f"docker manifest inspect {reference}",
            )
        else:
            explained.why = "the registry cannot be reached, or the pull broke off"
            explained.hint = offline
    assert isinstance(explained, BackendError)
    return explained


def _each_line_once(text: str) -> str:
    """docker asked about five things says five times that nobody answers."""
    return "\n".join(dict.fromkeys(text.splitlines()))
