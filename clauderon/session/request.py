"""What `create` was asked for, checked as far as it can be without side effects, as an unsaved session row."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from clauderon import choices, git, grammar, limits, names, spec
from clauderon.agents import launch, registry
from clauderon.choices import one_of
from clauderon.config.schema import Agent, Limits
from clauderon.errors import Conflict, UsageError
from clauderon.paths import current_directory
from clauderon.proxy.policy import repositories
from clauderon.record import Session
from clauderon.session import unsafe
from clauderon.session.context import Context
from clauderon.session.foreign import refuse_foreign


class Request(NamedTuple):
    """The flags of `create`, as typed; None and () mean "not given".

    prompt: the bytes the agent gets.
    prompt_flag: where the bytes are from, for what is wrong with them.
    """

    repo: Path
    prompt: bytes | None = None
    name: str | None = None
    backend: str = "docker"
    agent: str | None = None
    image: str | None = None
    cpu_limit: str | None = None
    memory_limit: str | None = None
    pull_policy: str | None = None
    base: str | None = None
    branch: str | None = None
    print_mode: bool = False
    plan: bool = False
    access_mode: str = "read-write"
    network: str | None = None
    allow: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    no_credentials: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    agent_args: tuple[str, ...] = ()
    timeout: str | None = None
    budget: str | None = None
    group: str | None = None
    idempotency: str | None = None
    detach: bool = False
    unsafe: bool = False
    prompt_flag: str = "--prompt"
    untrusted_repo: bool = False


class Plan(NamedTuple):
    """A session that could be made: nothing has been done yet.

    attached: the agent is to wait until somebody listens (`headless`).
    """

    session: Session
    repository: git.Repository
    agent: Agent
    prompt: bytes | None
    attached: bool = False


def duration_s(text: str, *, flag: str, command: str = "create") -> float:
    """`90`, `90s`, `15m`, `2h` as seconds, more than none. Raises UsageError, with `command` in its hint."""
    seconds = grammar.seconds(text)
    if seconds is None:
        raise UsageError(f"{flag} {text}", "not a time", hint=f"clauderon {command} {flag} 30m ...")
    return seconds


def _given(value: str | None, default: str, flag: str) -> str:
    """Raises UsageError for an empty value: that is a script's variable that was not set, not the default."""
    if value == "":
        raise UsageError(flag, "it is empty", hint=f"clauderon create {flag} {default} ...")
    return default if value is None else value


def image_reference(context: Context, request: Request) -> str:
    """The image that is asked for, or the configured one. Raises UsageError."""
    return spec.image(_given(request.image, context.config.docker.default_image, "--image"))


def network_mode(context: Context, request: Request) -> str:
    """`open` or `proxied`, asked for or configured. Raises UsageError."""
    return one_of(
        _given(request.network, context.config.network.mode, "--network"), choices.NETWORK_MODES, "--network"
    )


class _Asked(NamedTuple):
    """What the flags and the configuration say, each judged by itself: a session but for its repository and port."""

    name: str
    agent: str
    branch: str
    image: str
    backend: str
    access_mode: str
    network: str
    allow: tuple[str, ...] | None
    rules: tuple[str, ...]
    credentials: tuple[str, ...] | None
    no_credentials: tuple[str, ...]
    idempotency: str | None
    print_mode: bool
    plan: bool
    pull_policy: str
    cpus: str
    memory: str
    pids: int
    ulimits: dict[str, int]
    log_max_mib: int
    disk: int
    user: str
    env: dict[str, str]
    volumes: tuple[str, ...]
    publish: tuple[str, ...]
    extra_args: tuple[str, ...]
    agent_args: tuple[str, ...]
    budget: str
    group: str
    timeout_s: float | None


def plan(context: Context, request: Request) -> Plan:
    """Check everything and build the row, with a port that is free now. Touches nothing.

    Raises UsageError, Conflict, and Refused for a repository that an agent can write.
    """
    if not request.untrusted_repo:
        refuse_foreign(context, request.repo)
    config = context.config
    name = names.validated(request.name) if request.name is not None else None
    prompt = _prompt(request)
    agent = registry.find(config, _given(request.agent, config.general.default_agent, "--agent"))
    if name is None:
        name = names.from_prompt((prompt or b"").decode("utf-8", "replace"))
    asked = _asked(context, request, name, agent)
    _refuse_name_in_use(context, name)
    repository = git.repository_read(request.repo, context.environ, request.base, branch=asked.branch)
    now = time.time()
    # Paths travel through the database and labels as text; bytes that are no UTF-8 would not survive that.
    session = Session(
        **asked._asdict(),
        id=names.new_id(),
        conversation=names.new_conversation(),
        state="creating",
        step="recorded",
        port=context.store.free_port(config.proxy.session_port_range, f"create {name}"),
        repo=str(repository.path),
        git_dir=str(repository.common_dir),
        base=repository.base_commit,
        tracks=tuple(sorted(repository.tracks)),
        remotes=repositories.of_remotes(repository.remotes),
        created_at=now,
        updated_at=now,
    )
    launch.check(session, agent, prompt, prompt_flag=request.prompt_flag)
    session = session.changed(unsafe=unsafe.refuse(context, session, aloud=request.unsafe))
    return Plan(session, repository, agent, prompt, request.print_mode and not request.detach)


def _asked(context: Context, request: Request, name: str, agent: Agent) -> _Asked:
    config = context.config
    defaults = config.docker.limits
    cpus = defaults.cpu if request.cpu_limit is None else request.cpu_limit
    memory = defaults.memory if request.memory_limit is None else request.memory_limit
    what = "[docker.limits] cpu" if request.cpu_limit is None else "--cpu-limit"
    what_memory = "[docker.limits] memory" if request.memory_limit is None else "--memory-limit"
    lent = _lent(context, request)
    policy = _given(request.pull_policy, config.docker.pull_policy, "--pull-policy")
    return _Asked(
        name=name,
        agent=agent.name,
        backend=one_of(request.backend, choices.BACKENDS, "--backend"),
        branch=names.branch_named(_given(request.branch, names.branch(name), "--branch"), "--branch"),
        image=image_reference(context, request),
        access_mode=one_of(request.access_mode, choices.ACCESS_MODES, "--access-mode"),
        network=network_mode(context, request),
        # The file's lists are not copied: the proxy reads them there, so that they can be changed.
        allow=spec.hosts(request.allow, what="--allow") if request.allow else None,
        rules=spec.rules(request.rules),
        credentials=lent[0],
        no_credentials=lent[1],
        idempotency=_idempotency(request.idempotency),
        print_mode=request.print_mode,
        plan=request.plan,
        pull_policy=one_of(policy, choices.PULL_POLICIES, "--pull-policy"),
        cpus=limits.cpus(cpus, what=what),
        memory=limits.memory(memory, what=what_memory),
        pids=defaults.pids,
        ulimits=_ulimits(defaults),
        log_max_mib=config.docker.log_max_mib,
        disk=limits.size_bytes(config.limits.disk) or 0,
        user=spec.user(config.docker.user, uid=os.getuid(), gid=os.getgid()),
        env=spec.environment(request.env, context.environ),
        volumes=_volumes(request.volumes),
        publish=_publish(request.publish),
        extra_args=config.docker.extra_args,
        agent_args=request.agent_args,
        budget=_budget(request.budget, config.limits.session_budget),
        group="" if request.group is None else names.group_named(request.group, "--group"),
        timeout_s=None if request.timeout is None else duration_s(request.timeout, flag="--timeout"),
    )


def _prompt(request: Request) -> bytes | None:
    hint = 'clauderon create --repo . --prompt "Fix the bug"'
    if request.prompt is None:
        if request.print_mode:
            raise UsageError("create --print", "there is no prompt to run", hint=hint)
        return None
    if not request.prompt.strip():
        raise UsageError(request.prompt_flag, "it is empty", hint=hint)
    if b"\0" in request.prompt:
        why = "it contains a NUL byte, which no agent can be given"
        raise UsageError(request.prompt_flag, why, hint="tr -d '\\000' <prompt.txt")
    return request.prompt


def _lent(context: Context, request: Request) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    if not request.credentials and not request.no_credentials:
        return None, ()
    from clauderon.session import lending  # few sessions choose

    return lending.chosen(context, request.credentials, request.no_credentials)


def _idempotency(key: str | None) -> str | None:
    if key == "":
        raise UsageError(
            "--idempotency-key", "it is empty", hint="clauderon create --idempotency-key KEY ..."
        )
    return key


def _volumes(items: tuple[str, ...]) -> tuple[str, ...]:
    if not items:
        return ()
    from clauderon import extras  # few sessions have any

    is_relative = any(item.startswith(".") for item in items)
    return extras.volumes(items, current_directory("--volume") if is_relative else Path("/"))


def _ulimits(configured: Limits) -> dict[str, int]:
    """What `--ulimit` is told, by docker's names."""
    fsize, core = limits.size_bytes(configured.fsize), limits.size_bytes(configured.core)
    wanted = {"nofile": configured.nofile or None, "fsize": fsize or None, "core": core}
    return {name: most for name, most in wanted.items() if most is not None}


def _publish(items: tuple[str, ...]) -> tuple[str, ...]:
    if not items:
        return ()
    from clauderon import extras

    return extras.publish(items)


def _budget(text: str | None, default: str) -> str:
    """US dollars, empty for no limit. default: the configuration's."""
    if text is None:
        return default
    if text == "none":
        return ""
    if limits.dollars(text) is None:
        raise UsageError(
            f"--budget {text}", "not an amount in US dollars", hint="clauderon create --budget 2.50 ..."
        )
    return text.strip().removeprefix("$")


def _refuse_name_in_use(context: Context, name: str) -> None:
    existing = context.store.get(name)
    if existing is not None:
        raise Conflict(
            f"create {name}",
            f"the name is in use by session {existing.name}",
            hint=f"clauderon delete {existing.name}   # or choose another --name",
        )
    if os.path.lexists(context.home.worktree(name)):
        raise Conflict(
            f"create {name}",
            f"{context.home.worktree(name)} is in the way and belongs to no session",
            hint="clauderon reconcile",
        )
