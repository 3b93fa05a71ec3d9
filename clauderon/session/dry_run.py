"""`create --dry-run`: the docker and git commands of a create, as a script that does the same when it is run.

What is neither docker's nor git's (the row, the files of the session) is done by `clauderon __step`, with the row in
the script; so script and `create` share every line of code but the order, and the order is here.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon import files, names, spec
from clauderon.airlock.layout import host_side
from clauderon.airlock.worktree import add_words, pin_words
from clauderon.docker import argv, keys
from clauderon.errors import NoSuchSession, UsageError
from clauderon.git.call import Git
from clauderon.git.environment import KEPT, without_filters
from clauderon.git.repository import Repository
from clauderon.paths import Home
from clauderon.proxy.ca import trust
from clauderon.record import Session
from clauderon.session import idempotency, launch, own_network, probe, request, resources, volumes
from clauderon.session.context import SCRIPT_STEP, Context
from clauderon.session.request import Plan, Request

_HEAD = """\
#!/bin/sh
# Made by `clauderon create --dry-run`. Running it creates the session; a step that fails undoes the ones before it.
set -eu
"""
_STEP = ("clauderon", "__step")
_FLAGS = ("--json", "--quiet", "--existing")
# The script removes git's variables of the person who runs it, as `create` does.
_WITHOUT_GIT = """\
    for name in $(env | sed -n 's/^\\(GIT_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
        case $name in {kept}) ;; *) unset "$name" ;; esac
    done
    unset LANGUAGE"""


class Ending(NamedTuple):
    """What a create does once the session exists: print the agent's answer, join its terminal, or say the name."""

    headless: bool = False
    attach: bool = False
    json: bool = False
    quiet: bool = False

    def lines(self, context: Context, name: str, *, existing: bool = False) -> list[str]:
        """name: a word of shell. existing: found by its idempotency key."""
        if self.attach:
            words = context.docker.argv("attach", "--detach-keys", keys.ATTACH)
            return [f"exec {shlex.join(words)} clauderon-{name}"]
        if self.headless:
            flags = [
                flag for flag, given in zip(_FLAGS, (self.json, self.quiet, existing), strict=True) if given
            ]
            return [f"exec {shlex.join([*_STEP, 'print'])} {' '.join([name, *flags])}"]
        return [f"echo {name}"]


def script(context: Context, wanted: Request, ending: Ending) -> str:
    """The script. Raises as `create` does before its first side effect.

    Looks into an image nobody has looked into, in a throwaway container; makes the shared network, whose addresses the
    script names, and fetches the agent's binary, where they are missing. Nothing of a session is made.
    """
    if wanted.idempotency:
        existing = context.store.by_idempotency(wanted.idempotency)
        if existing is not None:
            idempotency.check_same(context, wanted, existing)
            lines = [_home(context), "# The session made with this key before."]
            return _text([*lines, *ending.lines(context, existing.name, existing=True)])
    network = names.network(context.config.docker.network, request.network_mode(context, wanted))
    inspection = resources.Inspection.start(context.docker, request.image_reference(context, wanted), network)
    plan = request.plan(context, wanted)
    found = inspection.result()
    if not found.images:
        raise UsageError(
            "create --dry-run",
            f"the mounts depend on what is in {plan.session.image}, and it is not on this engine",
            hint=f"docker pull {plan.session.image}",
        )
    from clauderon.session.create import say_what_stays_out

    say_what_stays_out(context, plan)
    image = found.images[0]
    facts = probe.image_facts(context, plan.session.id, image.id)
    session = plan.session
    made = []
    if session.network == "proxied":
        gateway, create = own_network.planned(context, session)
        made.append(f"{shlex.join(context.docker.argv(*create))} >/dev/null")
    else:
        gateway = resources.ensure_network(context, inspection, found.networks)
    session = session.changed(ip=gateway.address(context.home, session.port))
    found = volumes.with_own(context, session, facts, found)
    caches = volumes.plan(context, session, facts, found)
    binary = launch.agent_binary(context, plan.agent, facts)
    around = launch.Surroundings(image, facts, gateway, binary, caches.shared)
    made += [_volume_line(context, name, labels) for name, labels in caches.labels.items()]
    return _text(_lines(context, plan._replace(session=session), around, made, ending))


def _volume_line(context: Context, name: str, labels: Mapping[str, str]) -> str:
    create = argv.volume_create_argv(name, labels)
    return f"{shlex.join(context.docker.argv(*create))} >/dev/null"


def _text(lines: Iterable[str]) -> str:
    return _HEAD + "\n".join(lines) + "\n"


def _home(context: Context) -> str:
    return f"export CLAUDERON_HOME={shlex.quote(str(context.home.root))}"


def _lines(
    context: Context, plan: Plan, around: launch.Surroundings, made: list[str], ending: Ending
) -> list[str]:
    session = plan.session
    docker = context.docker
    run = docker.argv(*argv.container_run_argv(_described(context, plan, around)))
    record = f"{shlex.join([*_STEP, 'record', session.to_json()])} $$"
    prepare = [*_STEP, "prepare", session.id, *(["--attached"] if plan.attached else [])]
    pull = (
        [f"{shlex.join(docker.argv('pull', session.image))} >&2"] if session.pull_policy == "always" else []
    )
    return [
        _home(context),
        f"undo() {{ {shlex.join([*_STEP, 'undo', session.id])} $$ || :; }}",
        "trap 'status=$?; [ $status -eq 0 ] || undo; exit $status' EXIT",
        "trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM",
        "",
        "# Record the intent and this shell, so that a killed script is undone by the next command.",
        *(_record_with_key(context, record, ending) if session.idempotency else [record]),
        *_worktree_lines(context, plan),
        "# The image, the shared volumes and the network of the session alone, where they are missing.",
        *pull,
        *made,
        "# The hook of the configuration, if any; the airlock's private git directory, the proxy, the session's files.",
        _prompt_line(prepare, plan.prompt),
        "# The container.",
        f"{shlex.join(run)} >/dev/null",
        "# The session runs.",
        shlex.join([*_STEP, "running", session.id]),
        "trap - EXIT HUP INT TERM",
        "",
        *ending.lines(context, session.name),
    ]


def _record_with_key(context: Context, record: str, ending: Ending) -> list[str]:
    """A script that is run again, or beside a create with the same key, finds what that made."""
    return [
        f"existing=$({record})",
        'if [ -n "$existing" ]; then',
        "    trap - EXIT HUP INT TERM",
        *(f"    {line}" for line in ending.lines(context, '"$existing"', existing=True)),
        "    exit",
        "fi",
    ]


def _worktree_lines(context: Context, plan: Plan) -> list[str]:
    session, repository = plan.session, plan.repository
    worktree = context.home.worktree(session.name)
    git = Git(repository.common_dir, repository.env)
    add = git.on(repository.git_dir).argv(*add_words(worktree, branch=session.branch, base=session.base))
    pin = git.argv(*pin_words(session.name, session.base, fresh=True))
    return [
        "# The worktree and its branch; the pin keeps `git gc` from what the container borrows.",
        shlex.join(["mkdir", "-p", str(worktree.parent)]),
        "(",
        *_git_environment(repository),
        f"    {shlex.join(add)} >&2",
        f"    {shlex.join(pin)}",
        ")",
    ]


def _git_environment(repository: Repository) -> list[str]:
    """git's variables as `create` sets them: the caller's own taken away, content filters switched off."""
    ours = {
        name: value
        for name, value in without_filters(repository.env, repository.filters).items()
        if name == "LC_ALL" or (name.startswith("GIT_") and name not in KEPT)
    }
    exports = [f"    export {name}={shlex.quote(value)}" for name, value in ours.items()]
    return [_WITHOUT_GIT.format(kept=" | ".join(sorted(KEPT))), *exports, "    cd /"]


def _prompt_line(words: Iterable[str], prompt: bytes | None) -> str:
    """The prompt as printf's octal escapes: byte for byte through any shell, whatever it holds."""
    if prompt is None:
        return shlex.join(words) + " </dev/null"
    text = "".join(chr(b) if 31 < b < 127 and b not in b"\\%'$`" else f"\\{b:03o}" for b in prompt)
    return f"printf '{text}' | {shlex.join([*words, '--prompt'])}"


def _described(context: Context, plan: Plan, around: launch.Surroundings) -> spec.ContainerSpec:
    """The container as `create` would describe it; its files are written to a scratch home and thrown away."""
    real = context.home
    with files.scratch("dry-run") as directory:
        scratch = Home(Path(directory))
        scratch.create()
        host_side(scratch, plan.session.id).root.mkdir(parents=True)
        # The proxy makes both at its first start.
        scratch.ca_bundle.touch()
        if real.truststore.exists() or (not real.ca_cert.exists() and trust.makes_truststore()):
            scratch.truststore.touch()
        described = launch.prepare(
            context._replace(home=scratch), plan.session, plan.agent, around, plan.prompt
        )
    mounts = tuple(
        m._replace(
            source=m.source.replace(directory, str(real.root)),
            owner=(str(real.root), m.owner[1]) if m.owner[0] else m.owner,
        )
        for m in described.mounts
    )
    labelled = plan.session.changed(step="container")
    return described._replace(mounts=mounts, labels=spec.labels(labelled, real))


def step(context: Context, words: list[str], prompt: bytes | None) -> str:
    """One `clauderon __step` of the script: `record ROW PID`, `prepare ID [--attached]`, `running ID`, `undo ID PID`.

    Returns what the script is to read: the name of the session that `record` found under the same key, or "".
    """
    verb, argument, *rest = words
    if verb == "record":
        return _record(context, Session.from_json(argument), int(rest[0]))
    found = next((row for row in context.store.all() if row.id == argument), None)
    if verb == "undo":
        _undo(context, found, int(rest[0]))
    elif found is None:
        raise NoSuchSession(f"session {argument}", "its row is gone", hint="clauderon list")
    elif verb == "running":
        context.store.update(found.id, state="running", step="")
    else:
        from clauderon.session import create

        create.prepare_only(context, found, prompt, attached="--attached" in rest)
    return ""


def _record(context: Context, session: Session, pid: int) -> str:
    if session.idempotency:
        existing = idempotency.made_with(context, session.idempotency)
        if existing is not None:
            return existing.name
    context.store.add(session.changed(step=f"{SCRIPT_STEP}{pid}"))
    return ""


def _undo(context: Context, session: Session | None, pid: int) -> None:
    """Undo what this very script recorded: a second run is refused, and the session of the first stays."""
    from clauderon.session import remove

    if session is not None and (session.state, session.step) == ("creating", f"{SCRIPT_STEP}{pid}"):
        remove.discard(context, session)
