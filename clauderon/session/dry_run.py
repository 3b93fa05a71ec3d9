"""`create --dry-run`: the docker and git commands of a create, as a script that does the same when it is run.

What is neither docker's nor git's (the row, the files of the session) is done by `clauderon __step`, with the row in
the script; so script and `create` share every line of code but the order, and the order is here.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterable
from pathlib import Path

from clauderon import spec
from clauderon.airlock.layout import host_side
from clauderon.airlock.worktree import pin_argv, worktree_add_argv
from clauderon.docker import argv
from clauderon.errors import Conflict, NoSuchSession, UsageError
from clauderon.paths import Home
from clauderon.session import launch, probe, request, resources
from clauderon.session.context import SCRIPT_STEP, Context
from clauderon.session.request import Plan, Request
from clauderon.store import Session

_HEAD = """\
#!/bin/sh
# Made by `clauderon create --dry-run`. Running it creates the session; a step that fails undoes the ones before it.
set -eu
"""


def script(context: Context, wanted: Request) -> str:
    """The script. Touches nothing but a scratch directory. Raises as `create` does before its first side effect."""
    network = resources.network_name(context, request.network_mode(context, wanted))
    inspection = resources.Inspection.start(context.docker, request.image_reference(context, wanted), network)
    plan = request.plan(context, wanted, request.reader(context, wanted))
    found = inspection.result()
    if not found.images or wanted.pull_policy == "always":
        raise UsageError(
            "create --dry-run",
            f"the mounts depend on what is in {plan.session.image}, and it is not on this engine",
            hint=f"docker pull {plan.session.image}",
        )
    image = found.images[0]
    facts = probe.image_facts(context, plan.session.id, image)
    gateway = resources.ensure_network(
        context, inspection, found.networks, internal=plan.session.network == "proxied"
    )
    session = _with_port(context, plan.session, gateway)
    around = launch.Surroundings(image, facts, gateway, launch.agent_binary(context, plan.agent, facts))
    return _script(context, plan._replace(session=session), around)


def _with_port(context: Context, session: Session, gateway: resources.Gateway) -> Session:
    taken = {row.port for row in context.store.all()}
    port = next((p for p in context.config.proxy.session_port_range if p not in taken), None)
    if port is None:
        raise Conflict("create --dry-run", "all session ports are in use", hint="clauderon list --archived")
    return session.changed(port=port, ip=gateway.address(context.home, port))


def _script(context: Context, plan: Plan, around: launch.Surroundings) -> str:
    session, home = plan.session, context.home
    worktree = home.worktree(session.name)
    add = worktree_add_argv(plan.repository, worktree, branch=session.branch, base=session.base)
    pin = pin_argv(plan.repository.common_dir, session.name, session.base, fresh=True)
    run = context.docker.argv(*argv.container_run_argv(_described(context, plan, around)))
    step = ["clauderon", "__step"]
    lines = [
        f"export CLAUDERON_HOME={shlex.quote(str(home.root))}",
        f"undo() {{ {shlex.join([*step, 'undo', session.id])} || :; }}",
        "status=0",
        "trap 'status=$?; [ $status -eq 0 ] || undo; exit $status' EXIT",
        "trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM",
        "",
        "# Record the intent and this shell, so that a killed script is undone by the next command.",
        f"{shlex.join([*step, 'record', session.to_json()])} $$",
        "# The worktree and its branch; the pin keeps `git gc` from what the container borrows.",
        shlex.join(["mkdir", "-p", str(worktree.parent)]),
        f"{shlex.join(add)} >&2",
        shlex.join(pin),
        "# The airlock's private git directory, the shared volumes, the proxy, the session's files.",
        _prompt_line([*step, "prepare", session.id], plan.prompt),
        "# The container.",
        f"{shlex.join(run)} >/dev/null",
        shlex.join([*step, "running", session.id]),
        "",
        shlex.join(["echo", session.name]),
    ]
    return _HEAD + "\n".join(lines) + "\n"


def _prompt_line(words: Iterable[str], prompt: bytes | None) -> str:
    """The prompt as printf's octal escapes: byte for byte through any shell, whatever it holds."""
    if prompt is None:
        return shlex.join(words) + " </dev/null"
    text = "".join(chr(b) if 31 < b < 127 and b not in b"\\%'$`" else f"\\{b:03o}" for b in prompt)
    return f"printf '{text}' | {shlex.join([*words, '--prompt'])}"


def _described(context: Context, plan: Plan, around: launch.Surroundings) -> spec.ContainerSpec:
    """The container as `create` would describe it; its files are written to a scratch home and thrown away."""
    real = str(context.home.root)
    with tempfile.TemporaryDirectory(prefix="clauderon-dry-run-") as directory:
        scratch = Home(Path(directory))
        scratch.create()
        host_side(scratch, plan.session.id).root.mkdir(parents=True)
        for present in (context.home.ca_bundle, context.home.truststore):
            if present.exists():
                (scratch.root / present.name).touch()
        described = launch.prepare(
            context._replace(home=scratch), plan.session, plan.agent, around, plan.prompt
        )
    mounts = tuple(m._replace(source=m.source.replace(directory, real, 1)) for m in described.mounts)
    return described._replace(mounts=mounts, labels=spec.labels(plan.session, context.home))


def step(context: Context, words: list[str], prompt: bytes | None) -> None:
    """One `clauderon __step` of the script: `record ROW PID`, `prepare ID`, `running ID`, `undo ID`."""
    from clauderon.session import create, remove

    verb, argument, *rest = words
    if verb == "record":
        session = Session.from_json(argument).changed(step=f"{SCRIPT_STEP}{int(rest[0])}")
        context.store.add(session, context.config.proxy.session_port_range)
        return
    found = next((row for row in context.store.all() if row.id == argument), None)
    if found is None:
        if verb != "undo":  # a record that was refused has nothing to undo
            raise NoSuchSession(f"session {argument}", "its row is gone", hint="clauderon list")
    elif verb == "undo":
        remove.discard(context, found)
    elif verb == "running":
        context.store.update(found.id, state="running", step="")
    else:
        create.prepare_only(context, found, prompt)
