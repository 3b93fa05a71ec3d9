"""`create`."""

# Without `from __future__ import annotations`: reading the command line would compile every annotation anew.

import shlex
import sys
from pathlib import Path
from typing import Annotated

from clauderon.cli import common, reach
from clauderon.cli.declared import Argument, Exit, Option
from clauderon.errors import UsageError
from clauderon.known import kind, table
from clauderon.paths import current_directory
from clauderon.record import Session
from clauderon.session.context import Context
from clauderon.session.request import Request

_OptionalText = str | None


def create(
    words: Annotated[
        list[str] | None,
        Argument(
            metavar="[PROMPT]", help="What the agent is to do; the same as --prompt.", show_default=False
        ),
    ] = None,
    repo: Annotated[
        Path | None,
        Option("--repo", metavar="DIR", help="The git repository; default: this directory."),
    ] = None,
    untrusted_repo: Annotated[
        bool,
        Option(
            "--untrusted-repo",
            help="Accept a repository that an agent can write to. git runs what it configures.",
        ),
    ] = False,
    prompt: Annotated[
        _OptionalText, Option("--prompt", "-p", metavar="TEXT", help="What the agent is to do.")
    ] = None,
    prompt_file: Annotated[
        _OptionalText,
        Option("--prompt-file", metavar="FILE|-", help="Read the prompt from a file or stdin."),
    ] = None,
    name: Annotated[
        _OptionalText,
        Option("--name", "-n", metavar="NAME", help="The session's name; default: made from the prompt."),
    ] = None,
    backend: Annotated[
        str,
        Option("--backend", metavar="docker", help="Where the session runs; only docker exists."),
    ] = "docker",
    agent: Annotated[
        _OptionalText,
        Option("--agent", metavar="NAME", help=f"{', '.join(table.AGENTS)}, or one of your own."),
    ] = None,
    image: Annotated[_OptionalText, Option("--image", metavar="IMAGE", help="The container's image.")] = None,
    cpu_limit: Annotated[
        _OptionalText,
        Option("--cpu-limit", metavar="CPUS", help="CPUs it may use: 4, 0.5, 500m."),
    ] = None,
    memory_limit: Annotated[
        _OptionalText, Option("--memory-limit", metavar="SIZE", help="Memory it may use: 8g, 512m.")
    ] = None,
    pull_policy: Annotated[
        _OptionalText,
        Option("--pull-policy", metavar="always|if-not-present|never", help="When to pull."),
    ] = None,
    base: Annotated[
        _OptionalText, Option("--base", metavar="REF", help="Where to start; default: HEAD.")
    ] = None,
    branch: Annotated[
        _OptionalText,
        Option("--branch", metavar="NAME", help="The session's branch; default: clauderon/NAME."),
    ] = None,
    print_: Annotated[
        bool, Option("--print", help="Headless: print the agent's answer, exit with its status.")
    ] = False,
    detach: Annotated[
        bool,
        Option("--detach", "-d", help="With --print: do not wait for the agent; see wait and logs."),
    ] = False,
    attach: Annotated[bool, Option("--attach", "-a", help="Join the agent's terminal at once.")] = False,
    plan: Annotated[bool, Option("--plan", help="Let the agent plan and change nothing.")] = False,
    access_mode: reach.AccessModeOption = "read-write",
    network: reach.NetworkOption = None,
    allow: reach.AllowOption = None,
    rule: reach.RuleOption = None,
    credential: reach.CredentialOption = None,
    no_credential: reach.NoCredentialOption = None,
    env: Annotated[
        list[str] | None, Option("--env", "-e", metavar="K=V", help="A variable in the container.")
    ] = None,
    volume: Annotated[
        list[str] | None,
        Option(
            "--volume",
            "-v",
            metavar="SRC:DST",
            help="Additional mount, in docker's --volume syntax; repeatable.",
        ),
    ] = None,
    publish: Annotated[
        list[str] | None,
        Option("--publish", metavar="PORT", help="Publish a port, in docker's --publish syntax; repeatable."),
    ] = None,
    unsafe: Annotated[
        bool,
        Option("--unsafe", help="Allow --volume and the like to undo the protection; marks the session."),
    ] = False,
    timeout: Annotated[
        _OptionalText,
        Option("--timeout", metavar="TIME", help="With --print: stop the agent after 30m, 2h ..."),
    ] = None,
    budget: Annotated[
        _OptionalText,
        Option("--budget", metavar="USD", help="US dollars it may spend on models: 5.00 or none."),
    ] = None,
    group: Annotated[
        _OptionalText,
        Option("--group", metavar="GROUP", help="Its group, which commands can name."),
    ] = None,
    idempotency_key: Annotated[
        _OptionalText,
        Option("--idempotency-key", metavar="KEY", help="Create one session for each KEY, not more."),
    ] = None,
    count: Annotated[
        int | None,
        Option("--count", metavar="N", help="Create N sessions at once, NAME-1 to NAME-N.", min=1, max=99),
    ] = None,
    dry_run: Annotated[
        bool,
        Option("--dry-run", help="Print the commands as a script that does the same; make no session."),
    ] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Start an agent on a prompt, in a worktree and a container of its own.

    Prints the session's name.

    Example: clauderon create --repo ~/project --prompt "Fix the bug"
    """
    out = common.speak(format_, json, quiet)
    if attach and (print_ or detach):
        raise UsageError("create", "--attach excludes --print and --detach", hint="clauderon create --attach")
    if timeout is not None and detach:
        hint = "clauderon wait --timeout 30m NAME || clauderon stop NAME"
        raise UsageError("--timeout", "with --detach no command waits to stop the agent", hint=hint)
    if timeout is not None and not print_:
        raise UsageError("--timeout", "it needs --print", hint="clauderon wait --timeout 30m NAME")
    if count is not None and (attach or dry_run or (print_ and not detach)):
        from clauderon.cli.several import excluded

        raise excluded(count, attach, dry_run)
    network, allow = reach.learning(network, allow)
    request = Request(
        repo=_repository(repo),
        untrusted_repo=untrusted_repo,
        prompt=_prompt(_words(words or [], prompt), prompt_file),
        name=name,
        backend=backend,
        agent=agent,
        image=image,
        cpu_limit=cpu_limit,
        memory_limit=memory_limit,
        pull_policy=pull_policy,
        base=base,
        branch=branch,
        print_mode=print_,
        detach=detach,
        unsafe=unsafe,
        plan=plan,
        access_mode=access_mode,
        network=network,
        allow=tuple(allow or ()),
        rules=tuple(rule or ()),
        credentials=tuple(credential or ()),
        no_credentials=tuple(no_credential or ()),
        env=tuple(env or ()),
        volumes=tuple(volume or ()),
        publish=tuple(publish or ()),
        timeout=timeout,
        budget=budget,
        group=group,
        idempotency=idempotency_key,
        prompt_flag=f"--prompt-file {prompt_file}" if prompt_file else "PROMPT" if words else "--prompt",
        agent_args=kind.JSON_RESULT if print_ and out.json and not detach else (),
    )
    if count is not None:
        from clauderon.cli import several

        return several.create_several(request, count, _answer)
    from clauderon.session.create import create as create_session

    with common.opened(changing=not dry_run) as context:
        if dry_run:
            _dry_run(context, request, attach)
            return
        created = create_session(context, request)
        session = created.session
        if print_ and not detach:
            raise Exit(headless(context, session, created.existing))
        if attach:
            out.note(f"Session {session.name}; leave it with ctrl-p ctrl-q.")
            from clauderon.session import lifecycle

            raise Exit(lifecycle.attach(context, session))
        if created.existing:
            out.note(f"Session {session.name} was made with this key before.")
        out.value(session.name, _answer(context, session, created.existing))
        if not created.existing:
            out.note(f"hint: clauderon {'wait' if print_ else 'attach'} {session.name}")


def _answer(context: Context, session: Session, existing: bool) -> dict[str, object]:
    return {
        "name": session.name,
        "id": session.id,
        "branch": session.branch,
        "worktree": str(context.home.worktree(session.name)),
        "container": f"clauderon-{session.name}",
        "port": session.port,
        "agent": session.agent,
        "image": session.image,
        "group": session.group,
        "existing": existing,
    }


def _dry_run(context: Context, request: Request, attach: bool) -> None:
    from clauderon.session.dry_run import Ending, script

    out = common.output
    waits = request.print_mode and not request.detach
    text = script(context, request, Ending(waits, attach, out.json, out.quiet))
    if out.json:
        out.value("", {"script": text})
    else:
        out.text(text)


def headless(context: Context, session: Session, existing: bool) -> int:
    """Stream the agent's output byte for byte; returns its status.

    existing: it was found by its idempotency key, and may have begun before.
    """
    from clauderon.session import headless, parting

    out = common.output
    if out.json:
        result = headless.collect(context, session, began_before=existing)
        out.value("", {**_answer(context, session, existing), **result.row()})
    else:
        result = headless.stream(context, session, began_before=existing)
    if result.timed_out:
        parting.say(context, session.changed(timed_out=True))
    elif not out.json:
        out.note(
            f"Session {session.name}: the agent ended with status {result.status}; branch {session.branch}."
        )
    return result.status


def _repository(repo: Path | None) -> Path:
    """--repo as typed, else where we are; a relative one is refused where that was removed."""
    if repo is not None and repo.is_absolute():
        return repo
    here = current_directory("create" if repo is None else f"--repo {repo}")
    return repo or here


def _words(words: list[str], flag: str | None) -> str | None:
    """The prompt of the command line: the one plain word, or the value of --prompt. Raises UsageError."""
    if not words:
        return flag
    if flag is not None:
        raise UsageError("create", "the prompt was given twice: as a word and with --prompt")
    if len(words) > 1:
        # Quoting was forgotten, or the prompt comes beside something that was meant for a flag.
        quoted = shlex.join(["clauderon", "create", " ".join(words)])
        raise UsageError("create", "the prompt is one argument, so quote it", hint=quoted)
    return words[0]


def _prompt(text: str | None, file: str | None) -> bytes | None:
    hint = "clauderon create --prompt-file prompt.txt ..."
    if text is not None and file is not None:
        raise UsageError("create", "a prompt and --prompt-file exclude each other", hint=hint)
    if file is None:
        return None if text is None else text.encode("utf-8", "surrogateescape")
    if file == "-":
        return sys.stdin.buffer.read() if sys.stdin is not None else b""
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"--prompt-file {file}", error.strerror or str(error), hint=hint) from error
