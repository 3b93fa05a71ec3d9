"""What a file of `known.agents` says about its agent. Types only; what its functions are given is in `start`.

A new agent is a new file with an `AGENT`: `table` finds it, and everything else asks the table. Every command loads
them, so this module holds only what that needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, dataclass_transform

from clauderon.known.rows import NOTHING, Credential

if TYPE_CHECKING:
    from clauderon.known.answers import Answer
    from clauderon.known.start import Launch, Place

PLATFORMS = ("linux-x64", "linux-x64-musl", "linux-arm64", "linux-arm64-musl")
# What `Session.agent_args` holds where the answer is to come in the agent's own JSON; `Known.json_words` says it.
JSON_RESULT = ("--output-format", "json")


@dataclass_transform(kw_only_default=True, frozen_default=True)
class _Said:
    """Named values, which nobody changes. A named tuple would cost every command ten times as much to define."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


class Channel(_Said):
    """A vendor's own releases: `<url>/<tag>`, `<url>/<version>/manifest.json`, `<url>/<version>/<platform>/<file>`.

    variable: what in the person's environment names a mirror of it.
    """

    url: str
    variable: str
    file: str


class Install(_Said):
    """How an agent is packaged.

    launch:    path of the executable below the fetched directory.
    npm:       npm package per platform of `PLATFORMS`, `{version}` in it.
    dist_tags: the npm package whose dist-tags say what `latest` and `stable` are.
    strip:     leading folders of the npm tarball that are not kept, `*` for any name.
    channel:   asked before npm.
    static:    whether the binary runs on any libc, or none.
    package:   a file that lies in the top folder of its package, where that has no `package.json`.
    runtime:   a program the image itself must have; runtime_image: an image that has it.
    """

    launch: str
    npm: Mapping[str, str]
    dist_tags: str
    strip: str = "package"
    channel: Channel | None = None
    static: bool = False
    package: str = ""
    runtime: str = ""
    runtime_image: str = ""


class Lent(_Said):
    """A credential, and what an agent finds in its place: `placeholder`, in each of the `variables`.

    api: how its hosts answer, by a name of `proxy.usage.apis`, for `usage`; "" where that is not known.
    free: which paths there cost nothing, as telemetry and settings: an expression for whole paths, in lower case.
    """

    credential: Credential
    placeholder: str
    variables: tuple[str, ...]
    api: str = ""
    free: str = ""


class Conversation(_Said):
    """How the start script finds out whether the model has answered in this session before.

    files:     a pattern of the shell's below the agent's home; `{conversation}` is the session's UUID.
    answered:  a text that one of them has in a line once the model has answered; the first that has it is resumed.
    id_after:  a pattern of the shell's for what stands before the conversation's id in that file's name, which then
               is what `Launch.found_conversation` holds. "" where the id is the session's own.
    set_aside: whether one without an answer is in the way of a new beginning, and is moved.
    """

    files: str
    answered: str
    id_after: str = ""
    set_aside: bool = True


def _nothing(_place: Place) -> None:
    pass


def _no_environment(_uid: int | None) -> dict[str, str]:
    return {}


class Known(_Said):
    """An agent.

    title:       its name as a person knows it; program: its executable, in an image that has it.
    credentials: names of credentials, of which it needs one to reach its model.
    commands:    what is run, as two commands for the shell: at the first start, and at every later one.
    answer:      its answer in the JSON objects it printed, None if it is not there. Must not raise for any object.
    lends:       credentials that no other file has.
    either:      of credentials for the same hosts, the one whose placeholder to set, by the kind of the real one; the
                 first where there is none.
    json_words:  what asks it for JSON.
    write:       writes what it must find at home so that it starts without a question.
    environment: further variables, for the uid the container runs as (None: unknown).
    shell_variable: what names the shell it uses, for an agent that needs bash or zsh.
    tried:       the version that was tried against a stand-in for its API; notes: what does not work, or is its own. In
                 sentences, for docs/agents.md.
    plan: whether it can start in a plan mode.
    """

    title: str
    program: str
    install: Install
    credentials: tuple[str, ...]
    conversation: Conversation
    commands: Callable[[Launch], tuple[str, str]]
    answer: Callable[[list[dict[str, Any]]], Answer | None]
    lends: tuple[Lent, ...] = ()
    either: Mapping[str, str] = NOTHING
    json_words: tuple[str, ...] = JSON_RESULT
    write: Callable[[Place], None] = staticmethod(_nothing)
    environment: Callable[[int | None], dict[str, str]] = staticmethod(_no_environment)
    shell_variable: str = ""
    tried: str = ""
    notes: tuple[str, ...] = ()
    plan: bool = False
