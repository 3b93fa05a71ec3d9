"""Asks docker what a command will ask, before the imports that its command line costs: both go on side by side.

A guess from the words as they were typed. A command that asks something else asks it itself, and the guess is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from clauderon import config, names, spec
from clauderon.config.schema import Config
from clauderon.docker import Docker, argv
from clauderon.errors import ClauderonError
from clauderon.paths import Home
from clauderon.quick.env import option

_asked: Docker | None = None


@contextmanager
def asking(words: Sequence[str], environ: Mapping[str, str]) -> Iterator[None]:
    """Begin, and drop at the end what nobody wanted. Errors are the command's to report."""
    global _asked
    try:
        home = Home.from_environ(environ)
        settings = config.load(home, environ)
        docker = Docker.of(settings.docker, environ)
        if words[0] == "list":
            docker.foresee(argv.container_list_argv({spec.LABEL_HOME: str(home.root)}), "list containers")
        elif words[0] == "status":
            session_id = _id_of(home, words)
            if session_id:
                docker.foresee(argv.container_list_argv({spec.LABEL_ID: session_id}), "list containers")
        else:
            docker.foresee(argv.inspect_argv(_create_needs(words, settings)), "inspect")
        _asked = docker
    except (ClauderonError, KeyError):
        pass
    try:
        yield
    finally:
        drop()


def drop() -> None:
    """End what was asked and nobody has wanted."""
    global _asked
    if _asked is not None:
        _asked.drop_foreseen()
        _asked = None


def docker(settings: Config, environ: Mapping[str, str]) -> Docker:
    """The Docker of this configuration, with what was asked already."""
    made = Docker.of(settings.docker, environ)
    if _asked is not None and _asked.is_as(made):
        return _asked
    return made


def _id_of(home: Home, words: Sequence[str]) -> str:
    """The id of the session that is named, "" for none."""
    from clauderon.store import Store

    name = next((word for word in words[1:] if not word.startswith("-")), "")
    if not home.database.exists():
        return ""
    with Store.open(home) as store:
        session = store.get(name)
    return session.id if session else ""


def _create_needs(words: Sequence[str], settings: Config) -> list[str]:
    image = option(words, "--image") or settings.docker.default_image
    mode = option(words, "--network") or settings.network.mode
    return spec.engine_needs(image, names.network(settings.docker.network, mode))
