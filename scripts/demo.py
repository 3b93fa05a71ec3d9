"""What `scripts/demo` does once there is a Python to do it with. Drives the command line, as a person would."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLAUDERON = (str(Path(sys.executable).with_name("clauderon")),)
DEFAULT_IMAGE = "ghcr.io/anthropics/claude-code:latest"
OWN_IMAGE = "clauderon-test:debian"
PROMPT = "Greet the reader in HELLO.md, and commit it."
# A pull that has not begun by then goes nowhere.
PULL_TIMEOUT_S = 300
KEYS = ("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN")
# The stand-in takes this one key, and no other.
STAND_IN_KEY = "sk-ant-test-not-a-real-key-0001"
SCRIPTED = """
set -e
curl -sS https://api.anthropic.com/v1/messages -H 'content-type: application/json' -H 'x-api-key: placeholder' \\
    -d '{"model": "claude", "max_tokens": 16, "messages": [{"role": "user", "content": "Say hello."}]}' >/dev/null
printf 'Hello, reader.\\n' >HELLO.md
git add HELLO.md
git commit -q -m 'Add a greeting'
git log --oneline -1
"""


class Failed(Exception):
    """A step that cannot be done here; the text says what to do."""


def paint(code: str, text: str) -> str:
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ
    return text if plain else f"\033[{code}m{text}\033[0m"


def say(what: str, text: str) -> None:
    print(f"  {paint('2', what.ljust(8))}{text}", flush=True)


def command(words: str) -> None:
    print(f"\n{paint('1', '$ ' + words)}", flush=True)


def quiet(*argv: str | Path, env: Mapping[str, str], timeout_s: float | None = None) -> str | None:
    """stdout of a command, or None if it failed."""
    try:
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def engine(env: dict[str, str], state: Path, undo: contextlib.ExitStack) -> None:
    """An engine that answers, in `env`: the person's own, or one in `state`."""
    version = quiet("docker", "version", "--format", "{{.Server.Version}}", env=env)
    if version is not None:
        say("engine", f"yours, Docker {version}")
        return
    if os.getuid() != 0:
        raise Failed("no Docker engine answers, and only root can start one: sudo scripts/demo")
    script = ROOT / "scripts/engine"
    undo.callback(subprocess.run, [script, "stop", state / "engine"], env=env, check=False)
    started = subprocess.run(
        [script, "start", state / "engine"], env=env, stdout=subprocess.PIPE, text=True, check=False
    )
    if started.returncode != 0:
        raise Failed("the engine did not start; what it said is above")
    env["DOCKER_HOST"] = started.stdout.strip().removeprefix("DOCKER_HOST=")
    version = quiet("docker", "version", "--format", "{{.Server.Version}}", env=env)
    say("engine", f"none answered, so a private one: Docker {version}")


def image(env: dict[str, str]) -> str:
    """The image to run in: the default one if it is here or can be pulled, else one made on this machine."""
    if quiet("docker", "image", "inspect", DEFAULT_IMAGE, env=env) is not None:
        say("image", DEFAULT_IMAGE)
        return DEFAULT_IMAGE
    if quiet("docker", "pull", "--quiet", DEFAULT_IMAGE, env=env, timeout_s=PULL_TIMEOUT_S) is not None:
        say("image", f"{DEFAULT_IMAGE}, pulled")
        return DEFAULT_IMAGE
    if subprocess.run([ROOT / "scripts/images", "debian"], env=env, check=False).returncode != 0:
        raise Failed("no image could be pulled, and none be made; what failed is above")
    say("image", f"the default one cannot be pulled here, so {OWN_IMAGE}, made on this machine")
    return OWN_IMAGE


def ports(count: int) -> list[int]:
    """Free ports, one after the other."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = probe.getsockname()[1]
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for port in range(first, first + count):
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return list(range(first, first + count))


@contextlib.contextmanager
def stand_in(state: Path) -> Iterator[str]:
    """The stand-in for the model's API, running; yields the lines of `[proxy]` that lead there."""
    program = ROOT / "tests/standins/model_api.py"
    (state / "model").mkdir()
    argv = [sys.executable, program, "--directory", state / "model", "--anthropic-key", STAND_IN_KEY]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            ready = json.loads(child.stdout.readline())
            yield (
                f'upstream_ca = "{ready["ca"]}"\n'
                f'connect_to = {{ "api.anthropic.com:443" = "127.0.0.1:{ready["port"]}" }}\n'
            )
        finally:
            child.terminate()


def npm_if_needed(env: Mapping[str, str]) -> None:
    """Claude Code comes from its release channel, else through npm; a fresh machine has no npm."""
    if shutil.which("npm", path=env["PATH"]) or os.getuid() != 0 or not shutil.which("apt-get"):
        return
    with contextlib.suppress(OSError), socket.create_connection(("downloads.claude.ai", 443), timeout=5):
        return
    say("agent", "its release channel is out of reach: installing npm to fetch it with")
    apt = [
        "apt-get",
        "-qq",
        "-o",
        "DPkg::Lock::Timeout=300",
        "install",
        "--yes",
        "--no-install-recommends",
        "npm",
    ]
    subprocess.run(
        apt,
        env={**env, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def small_repository(path: Path, env: Mapping[str, str]) -> None:
    path.mkdir()
    for argv in (
        ("init", "--quiet", "--initial-branch=main"),
        ("config", "user.name", "Demo"),
        ("config", "user.email", "demo@example.test"),
        ("commit", "--quiet", "--allow-empty", "--message", "Begin"),
    ):
        subprocess.run(["git", *argv], cwd=path, env=env, check=True)


def create(state: Path, env: Mapping[str, str], name: str, agent: str, prompt: str) -> int:
    """`clauderon create --print`, its streams our own; returns its status."""
    words = ("create", "--print", "--repo", "hello", "--name", name, "--agent", agent, "--prompt")
    shown = shlex.quote(prompt) if prompt.count("\n") == 0 else "..."
    command(f"clauderon {shlex.join(words)} {shown}")
    return subprocess.run([*CLAUDERON, *words, prompt], cwd=state, env=env, check=False).returncode


def show(state: Path, env: Mapping[str, str], name: str, secret: str) -> bool:
    """What came of it: the commit, the audit, and the container searched for the key. False if it was not clean."""
    repo = state / "hello"
    command(f"git log --oneline --stat main..clauderon/{name}")
    log = quiet("git", "-C", repo, "log", "--oneline", "--stat", f"main..clauderon/{name}", env=env)
    print(log or "no commit")
    command(f"clauderon proxy log --session {name}")
    subprocess.run([*CLAUDERON, "proxy", "log", "--session", name], cwd=state, env=env, check=False)
    command(f"docker inspect clauderon-{name} | grep -c KEY; docker export clauderon-{name} | grep -c KEY")
    inspected = subprocess.run(
        ["docker", "inspect", f"clauderon-{name}"], env=env, capture_output=True, check=False
    ).stdout
    in_inspect = inspected.count(secret.encode())
    in_files = 0
    with subprocess.Popen(
        ["docker", "export", f"clauderon-{name}"], env=env, stdout=subprocess.PIPE
    ) as export:
        assert export.stdout is not None
        tail = b""
        while chunk := export.stdout.read(1 << 20):
            in_files += (tail + chunk).count(secret.encode())
            tail = chunk[-len(secret) + 1 :]
    in_home = sum(
        secret.encode() in path.read_bytes()
        for top in ("home", "session", "git", "worktrees")
        for path in (state / "clauderon" / top).rglob("*")
        if path.is_file() and not path.is_symlink()
    )
    print(f"{in_inspect}\n{in_files + in_home}")
    return bool(log) and len(inspected) > 2 and in_inspect + in_files + in_home == 0


def main(arguments: list[str]) -> int:
    keep = "--keep" in arguments
    if set(arguments) - {"--keep"}:
        print("usage: scripts/demo [--keep]", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    started = time.monotonic()
    print(
        f"{paint('1', 'clauderon')}: an agent in a container, on a branch of its own, with a key it never holds\n"
    )
    state = Path(tempfile.mkdtemp(prefix="clauderon-demo."))
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, state, ignore_errors=True)
        try:
            done = play(state, undo)
        except Failed as error:
            print(f"\ndemo: {error}", file=sys.stderr)
            done = False
        if keep:
            undo.pop_all()
            host = f"DOCKER_HOST=unix://{state}/engine/docker.sock " if (state / "engine").exists() else ""
            print(f"\nKept: {host}CLAUDERON_HOME={state}/clauderon, the repository in {state}/hello")
    print(f"\n{'Done' if done else 'Not done'} in {time.monotonic() - started:.0f} s.")
    return 0 if done else 1


def play(state: Path, undo: contextlib.ExitStack) -> bool:
    home = state / "clauderon"
    env = {**os.environ, "CLAUDERON_HOME": str(home), "PATH": os.environ.get("PATH", os.defpath)}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}:/usr/sbin:/sbin"
    engine(env, state, undo)
    where = image(env)
    key = next((name for name in KEYS if env.get(name)), None)
    lines = ""
    if key is None:
        key = KEYS[0]
        lines = undo.enter_context(stand_in(state))
        env[key] = STAND_IN_KEY
        say("model", "no key of yours here, so a stand-in answers for api.anthropic.com")
    else:
        say("model", f"the real one, with your {key}")
    npm_if_needed(env)
    home.mkdir(mode=0o700)
    # A download of hundreds of MB is worth keeping from one demo to the next.
    cache = ROOT / ".cache" / "agents"
    cache.mkdir(parents=True, exist_ok=True)
    (home / "agents").symlink_to(cache)
    name = f"demo-{secrets.token_hex(2)}"
    free = ports(4)
    (home / "config.toml").write_text(
        f'[docker]\ndefault_image = "{where}"\npull_policy = "if-not-present"\nnetwork = "clauderon-{name}"\n'
        f'[proxy]\nport = {free[0]}\nsession_ports = "{free[1]}-{free[-1]}"\n{lines}'
        '[agents.scripted]\ncommand = ["sh", "{prompt_file}"]\nprint_command = ["sh", "{prompt_file}"]\n'
    )
    small_repository(state / "hello", env)
    say("repo", "hello, with one commit")

    def clean() -> None:
        subprocess.run(
            [*CLAUDERON, "delete", name, "--force", "--quiet"], env=env, capture_output=True, check=False
        )
        subprocess.run([*CLAUDERON, "proxy", "stop"], env=env, capture_output=True, check=False)
        subprocess.run(
            ["docker", "network", "rm", f"clauderon-{name}"], env=env, capture_output=True, check=False
        )

    undo.callback(clean)
    status = create(state, env, name, "claude", PROMPT)
    if status == 125:
        # 125 is clauderon's own failure; above it says which.
        say("agent", "Claude Code could not be fetched or started here, so a scripted agent does the same")
        status = create(state, env, name, "scripted", SCRIPTED)
    if status != 0:
        raise Failed(f"create ended with status {status}")
    return show(state, env, name, env[key])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
