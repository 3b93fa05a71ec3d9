"""The changing commands that are struck: what each starts from, and what is checked afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.crash import around, rescued
from tests.crash import promises as p
from tests.crash.world import World

# 0 done, 3 the session is gone already, 5 it exists already (125 under `--print`): what a command answers when a killed one went far.
WENT_FAR = (0, 3, 5, 125)


@dataclass(frozen=True)
class Course:
    """One command. begin: makes what it starts from. end: checks that nothing is lost, and leaves it as begun.

    undoes_itself: an interrupted one needs no other command after it.
    options: more words for every `create` of it. ends: the statuses of an undisturbed one.
    """

    name: str
    argv: Callable[[World], tuple[str, ...]]
    begin: Callable[[World], None]
    end: Callable[[World], None]
    undoes_itself: bool = False
    options: tuple[str, ...] = ()
    ends: tuple[int, ...] = (0,)


def _on(verb: str, *rest: str) -> Callable[[World], tuple[str, ...]]:
    return lambda world: (*verb.split(), world.name(), *rest)


def _words(*words: str) -> Callable[[World], tuple[str, ...]]:
    return lambda _world: words


def _print(world: World) -> tuple[str, ...]:
    return (*p.create_argv(world), "--print")


def _into(world: World) -> tuple[str, ...]:
    return ("rescue", "restore", world.name(), "--into", world.name())


def _refresh(world: World) -> tuple[str, ...]:
    return ("refresh", world.name(), "--pull-policy", "never")


PROXIED = ("--network", "proxied")
COURSES = (
    Course("create", p.create_argv, p.empty, p.created, undoes_itself=True),
    Course("create-cold", p.create_argv, p.cold, p.created, undoes_itself=True),
    Course("create-proxied", p.create_argv, p.empty, p.created, undoes_itself=True, options=PROXIED),
    Course("create-proxied-cold", p.create_argv, p.cold, p.created, undoes_itself=True, options=PROXIED),
    Course("create-print", _print, p.empty, p.printed),
    Course("refresh", _refresh, p.present, p.kept),
    Course("refresh-proxied", _refresh, p.present, p.kept, options=PROXIED),
    Course("delete", _on("delete", "--force"), p.present, p.deleted),
    Course("delete-proxied", _on("delete", "--force"), p.present, p.deleted, options=PROXIED),
    Course("delete-keeping", p.keeping_argv, p.with_more_to_keep, p.deleted_keeping),
    Course("start", _on("start"), p.stopped, p.kept),
    Course("stop", _on("stop"), p.with_new_commit, p.kept),
    Course("sync", _on("sync"), p.with_new_commit, p.kept),
    Course("merge", _on("merge"), p.with_new_commit, p.merged),
    Course("merge-squash", _on("merge", "--squash"), p.with_new_commit, p.merged),
    Course("archive", _on("archive"), p.present, p.kept),
    Course("unarchive", _on("unarchive"), p.archived, p.kept),
    Course("upload", _on("upload", "repo/README.md"), p.present, p.uploaded),
    Course("set-access-mode", _on("set-access-mode", "read-only"), p.present, p.kept),
    Course("rescue-branch", _on("rescue restore", "--branch", "back"), rescued.with_rescue, rescued.restored_branch),
    Course("rescue-worktree", _on("rescue restore", "--worktree", "back"), rescued.with_rescue, rescued.restored_worktree),
    Course("rescue-into", _into, rescued.with_rescue_and_session, rescued.restored_inside),
    Course("rescue-drop", _on("rescue drop", "--yes"), rescued.with_rescue, rescued.dropped),
    Course("reconcile", _words("reconcile"), around.half_way, around.reconciled),
    Course("clean-cache", _words("clean-cache", "--force"), around.with_volumes, around.cleaned),
    Course("image-build", _words("image", "build", "--tag", around.IMAGE, "--default"), around.with_stand_in_build, around.built),
    Course("proxy-start", _words("proxy", "start"), around.without_proxy, p.kept),
    Course("proxy-stop", _words("proxy", "stop"), p.present, p.kept),
    Course("config-init", _words("config", "init"), around.without_config, around.configured),
    Course("doctor", _words("doctor"), p.present, p.kept, ends=(0, 1)),
)  # fmt: skip
