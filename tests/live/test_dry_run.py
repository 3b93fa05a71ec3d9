"""The script of `create --dry-run`: what it makes is what `create` makes, and running it again undoes nothing."""

from __future__ import annotations

import difflib
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from clauderon.airlock.layout import admin_dir
from clauderon.record import Session
from clauderon.store import Store
from tests.standins.engine import DEBIAN, Engine
from tests.standins.repository import DATE, git

pytestmark = pytest.mark.live

# What a caller's environment may hold; of this `create` lets nothing but the date reach git.
LEFT_BEHIND = {
    "GIT_COMMITTER_DATE": DATE,
    "GIT_DIR": "/nonexistent",
    "GIT_INDEX_FILE": "/nonexistent/index",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.autocrlf",
    "GIT_CONFIG_VALUE_0": "true",
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z?|(?<=_at..:)\d+\.\d+")
_SHOWN = (
    "Path",
    "Args",
    "Image",
    "Driver",
    "Mounts",
    "Config",
    "HostConfig",
    "RestartCount",
    "AppArmorProfile",
)


@pytest.fixture
def stage(engine: Engine) -> Engine:
    """A home without a session, and a repository whose attributes ask for a filter that changes every file."""
    engine.scripted(image=DEBIAN)
    repo = engine.repo()
    (repo / ".gitattributes").write_text("*.txt filter=shout\n")
    git("add", ".", cwd=repo)
    git("commit", "-q", "-m", "Shout", cwd=repo)
    git("config", "filter.shout.smudge", "tr a-z A-Z", cwd=repo)
    git("config", "filter.shout.clean", "tr A-Z a-z", cwd=repo)
    (repo / ".git" / "info" / "exclude").unlink(missing_ok=True)
    return engine


def dry_run(stage: Engine, word: str, *argv: str, prompt: str = "sleep 300") -> str:
    words = ("create", "--dry-run", "--repo", "repo", "--name", stage.name(word), "--prompt", prompt)
    return stage.cli.ok(*words, *argv).text


def run(stage: Engine, script: str, *, shell: Sequence[str] = ("sh",)) -> subprocess.CompletedProcess[str]:
    """Run it as a person would: from a file, anywhere, with what their environment holds."""
    file = stage.root / "script"
    file.write_text(script)
    return subprocess.run(
        [*shell, str(file)],
        cwd="/",
        env={**stage.environ, **LEFT_BEHIND},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def ran(stage: Engine, script: str) -> str:
    done = run(stage, script)
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}\n{script}"
    return done.stdout


def session(stage: Engine, word: str) -> Session:
    with Store.open(stage.home) as store:
        return store.named(stage.name(word))


def tree(top: Path) -> dict[str, Any]:
    """Every file below: its mode and bytes; times and what the container writes by itself stay out."""
    found: dict[str, Any] = {}
    for path in sorted(top.rglob("*")):
        info = path.lstat()
        content: Any = "directory"
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            # git's index holds inode numbers and times.
            content = path.read_bytes().decode("latin-1") if path.name != "index" else "index"
        found[str(path.relative_to(top))] = (oct(info.st_mode), info.st_uid, content)
    return found


def ordered(value: Any) -> Any:
    """The engine lists variables and mounts in an order of its own, another one each time."""
    if isinstance(value, dict):
        return {key: ordered(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted((ordered(each) for each in value), key=repr)
    return value


def everything(stage: Engine, word: str) -> list[str]:
    """All that a create leaves, with this session's own name, id, port and address as placeholders."""
    row = session(stage, word)
    home, repo = stage.home, stage.root / "repo"
    inspected = stage.inspect(word)
    for mount in inspected["Mounts"]:
        # The overlay over the objects has no name but the engine's.
        if mount["Destination"] == "/clauderon/objects/0" and mount["Type"] == "volume":
            mount["Name"] = mount["Source"] = "<overlay>"
    admin = admin_dir(repo / ".git", home.worktree(row.name))
    assert admin is not None
    seen = {
        "container": {key: ordered(inspected.get(key)) for key in _SHOWN},
        "network": {
            name: (end["IPAMConfig"], end["Aliases"], end["IPPrefixLen"])
            for name, end in inspected["NetworkSettings"]["Networks"].items()
        },
        "running": inspected["State"]["Running"],
        "refs": [
            line
            for line in git("for-each-ref", "--format=%(refname) %(objectname)", cwd=repo).splitlines()
            if row.name in line
        ],
        "status of the checkout": git("status", "--porcelain=v2", "--branch", cwd=repo),
        "status of the worktree": git("status", "--porcelain=v2", "--branch", cwd=home.worktree(row.name)),
        "status inside": stage.inside(word, "git status --porcelain=v2 --branch"),
        "files": tree(home.worktree(row.name)),
        "admin": tree(admin),
        "exclude": (repo / ".git" / "info" / "exclude").read_text(),
        "row": row._asdict(),
        **{
            str(top.parent.name): tree(top)
            for top in (
                home.session_home(row.id),
                home.session_dir(row.id),
                home.git_dir(row.id),
                home.upload_dir(row.id),
            )
        },
    }
    text = json.dumps(seen, default=repr, indent=1, sort_keys=True)
    for own, placeholder in (
        (row.id, "<id>"), (row.name, "<name>"), (row.conversation, "<conversation>"), (row.ip, "<ip>"),
        (str(row.port), "<port>"), (str(row.created_at), "<time>"), (str(row.updated_at), "<time>"),
        (inspected["Id"], "<container>"), (inspected["Id"][:12], "<container>"),
    ):  # fmt: skip
        text = text.replace(own, placeholder)
    return _TIME.sub("<time>", text).splitlines()


@pytest.mark.parametrize("first", ["create", "script"])
def test_the_script_makes_what_create_makes(stage: Engine, first: str) -> None:
    def create() -> None:
        stage.create("a", "--env", "WORD=a b'c", "--cpu-limit", "0.5", prompt="sleep 300", env=LEFT_BEHIND)

    if first == "create":
        create()
        printed = ran(stage, dry_run(stage, "b", "--env", "WORD=a b'c", "--cpu-limit", "0.5"))
    else:
        printed = ran(stage, dry_run(stage, "b", "--env", "WORD=a b'c", "--cpu-limit", "0.5"))
        create()
    assert printed == stage.name("b") + "\n"
    made, meant = everything(stage, "b"), everything(stage, "a")
    difference = "\n".join(difflib.unified_diff(meant, made, "create", "script", n=2, lineterm=""))
    if difference:
        pytest.fail(difference)


def test_a_script_that_is_run_again_leaves_the_session_of_the_first_alone(stage: Engine) -> None:
    script = dry_run(stage, "b")
    ran(stage, script)
    (stage.home.worktree(stage.name("b")) / "unsaved").write_text("work")
    again = run(stage, script)
    assert (again.returncode, again.stdout) == (5, ""), again.stderr
    assert "in use" in again.stderr
    assert stage.inside("b", "cat unsaved") == "work"


def test_a_script_that_fails_half_way_undoes_what_it_made(stage: Engine) -> None:
    script = dry_run(stage, "b")
    stage.docker("create", "--name", stage.container("b"), DEBIAN)
    stage.undo(lambda: stage.docker("rm", "-f", stage.container("b"), check=False))
    failed = run(stage, script)
    assert failed.returncode != 0
    assert stage.cli.ok("list", "--json").json["data"] == []
    assert git("branch", "--format=%(refname:short)", cwd=stage.root / "repo") == "main\n"
    assert not stage.home.worktree(stage.name("b")).exists()


def test_the_script_with_a_key_finds_what_was_made_with_it(stage: Engine) -> None:
    script = dry_run(stage, "b", "--idempotency-key", "one")
    assert [ran(stage, script), ran(stage, script)] == [stage.name("b") + "\n"] * 2
    # A dry run of a key that was used before says what the create would: the session's name.
    later = dry_run(stage, "c", "--idempotency-key", "one")
    assert "docker" not in later
    assert ran(stage, later) == stage.name("b") + "\n"


def test_the_script_of_a_headless_create_prints_the_agents_answer_and_ends_with_its_status(
    stage: Engine,
) -> None:
    prompt = "printf '\\000 no newline'; echo words >&2; exit 42"
    script = dry_run(stage, "b", "--print", "--quiet", prompt=prompt)
    done = run(stage, script)
    assert (done.returncode, done.stdout, done.stderr) == (42, "\0 no newline", "words\n")
    script = dry_run(stage, "c", "--print", "--detach", prompt=prompt)
    assert ran(stage, script) == stage.name("c") + "\n"


def test_the_script_runs_the_hook_of_a_create(stage: Engine) -> None:
    stage.scripted('[hooks]\non_create = "echo $CLAUDERON_SESSION_NAME >hooked"\n')
    ran(stage, dry_run(stage, "b"))
    assert (stage.home.worktree(stage.name("b")) / "hooked").read_text() == stage.name("b") + "\n"


def test_the_script_pulls_under_the_policy_of_flag_or_configuration(stage: Engine) -> None:
    pull = f"docker pull {DEBIAN} >&2"
    assert pull in dry_run(stage, "b", "--pull-policy", "always").splitlines()
    stage.scripted(docker='pull_policy = "always"')
    assert pull in dry_run(stage, "b").splitlines()
    assert pull not in dry_run(stage, "b", "--pull-policy", "never").splitlines()


def test_the_script_of_attach_joins_the_agents_terminal(stage: Engine) -> None:
    last = dry_run(stage, "b", "--attach").splitlines()[-1]
    assert shlex.split(last)[:3] == ["exec", "docker", "attach"]
    assert last.endswith(stage.container("b"))


def test_a_dry_run_makes_no_session_and_speaks_json(stage: Engine) -> None:
    words = ("create", "--dry-run", "--repo", "repo", "--prompt", "x", "--name", stage.name("b"))
    answer = stage.cli.ok(*words, "--json").json
    assert (answer["ok"], answer["command"]) == (True, "create")
    assert answer["data"]["script"].startswith("#!/bin/sh\n")
    assert stage.cli.ok("list", "--json").json["data"] == []
    assert stage.containers() == []
    assert not stage.home.worktree(stage.name("b")).exists()
    # What goes wrong has its own status, with --print too: there is no agent's to pass on.
    assert stage.cli(*words[:4], "--prompt", "", "--print").status == 2


def test_a_script_that_is_killed_is_undone_by_the_next_command(stage: Engine) -> None:
    script = dry_run(stage, "b").replace("# The container.\n", "kill -9 $$\n")
    assert run(stage, script).returncode == -9
    assert stage.home.worktree(stage.name("b")).exists()
    stage.create("a")
    assert [row["name"] for row in stage.cli.ok("list", "--json").json["data"]] == [stage.name("a")]
    assert not stage.home.worktree(stage.name("b")).exists()
    assert f"clauderon/{stage.name('b')}" not in git("branch", "--list", cwd=stage.root / "repo")


@pytest.mark.parametrize("shell", ["bash --posix", "busybox sh"])
def test_the_script_runs_in_any_posix_shell(stage: Engine, shell: str) -> None:
    words = shell.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    prompt = "printf '%s' \"don't\" 'é\\t' '%d' '`x`'; exit 3"
    script = dry_run(stage, "b", "--print", "--quiet", prompt=prompt)
    done = run(stage, script, shell=words)
    assert (done.returncode, done.stdout) == (3, "don'té\\t%d`x`"), done.stderr


def test_the_script_of_a_proxied_session_makes_its_network_and_its_undoing_removes_it(stage: Engine) -> None:
    script = dry_run(stage, "alone", "--network", "proxied")
    label = f"label=clauderon.home={stage.home.root}"
    networks = ("network", "ls", "--filter", label, "--format", "{{.Name}}")
    assert stage.docker(*networks) == ""
    broken = script.replace("# The session runs.", "exit 9")
    assert run(stage, broken).returncode == 9 and stage.docker(*networks) == ""
    ran(stage, script)
    assert list(stage.inspect("alone")["NetworkSettings"]["Networks"]) == [stage.docker(*networks)]
    ask = "curl -sS -m 10 -o /dev/null -w '%{http_code}' http://127.0.0.1/ --noproxy '' -x $http_proxy"
    assert stage.inside("alone", ask) in ("403", "502")
    stage.cli.ok("delete", "--force", stage.name("alone"))
    assert stage.docker(*networks) == ""
