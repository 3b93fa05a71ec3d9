"""What is written for a session, who can use it, and that no secret is among it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clauderon import placeholders
from clauderon.agents import setup
from clauderon.agents.image import ImageFacts
from clauderon.agents.setup import AgentSetup
from clauderon.config.builtin_credentials import LENT
from clauderon.config.schema import Agent
from clauderon.known.table import AGENTS
from clauderon.paths import Home
from clauderon.record import Session

Make = Callable[..., Session]
Find = Callable[[str], Agent]
Prepare = Callable[..., AgentSetup]


@pytest.fixture
def prepare(home: Home) -> Prepare:
    def call(session: Session, agent: Agent, **changes: Any) -> AgentSetup:
        values: dict[str, Any] = {
            "prompt": b"go",
            "facts": ImageFacts(arch="x64", uid=0, gid=0),
            "binary": Path("/cache/claude"),
            "credential_kind": "api-key",
            "owner": None,
            "environ": {},
        }
        return setup.prepare(home, session, agent, **{**values, **changes})

    return call


def mine() -> str:
    return f"{os.getuid()}:{os.getgid()}"


def claude_json(home: Home, session: Session) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((home.session_home(session.id) / ".claude.json").read_text())
    return value


def test_a_fresh_session_has_seen_every_first_run_dialog(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    row = session()
    prepare(row, agent("claude"))
    value = claude_json(home, row)
    assert value["hasCompletedOnboarding"] and value["bypassPermissionsModeAccepted"]
    assert value["projects"]["/workspace"]["hasTrustDialogAccepted"]
    assert value["customApiKeyResponses"]["approved"] == [LENT["anthropic"].placeholder[-20:]]


def test_sessions_of_one_uid_take_the_same_cargo_locks(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    """cargo locks $CARGO_HOME, which is the session's own; what it guards there is everybody's."""
    places = []
    for identity in ("0123456789aa", "0123456789bb"):
        prepare(session(id=identity), agent("claude"), cargo_shared=True)
        cargo = home.session_home(identity) / ".cargo"
        places.append([(cargo / lock).readlink() for lock in (".package-cache", ".package-cache-mutate")])
    registry = Path("/clauderon/cargo/registry/1000")
    assert places == [[registry / ".package-cache", registry / ".package-cache-mutate"]] * 2


def test_preparing_again_keeps_what_the_agent_wrote(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    row = session()
    prepare(row, agent("claude"))
    file = home.session_home(row.id) / ".claude.json"
    value = json.loads(file.read_text())
    value["numStartups"] = 4
    value["projects"]["/workspace"] |= {"history": ["a"], "hasTrustDialogAccepted": False}
    value["customApiKeyResponses"]["rejected"] = [LENT["anthropic"].placeholder[-20:]]
    file.write_text(json.dumps(value))
    prepare(row, agent("claude"), prompt=None)
    value = claude_json(home, row)
    assert value["numStartups"] == 4
    assert value["projects"]["/workspace"] == {"history": ["a"], "hasTrustDialogAccepted": True}
    assert value["customApiKeyResponses"]["rejected"] == []
    assert (home.session_dir(row.id) / "prompt").read_bytes() == b"go"


def test_a_damaged_claude_json_is_made_anew(home: Home, session: Make, agent: Find, prepare: Prepare) -> None:
    row = session()
    prepare(row, agent("claude"))
    (home.session_home(row.id) / ".claude.json").write_text('{"numStartups": 1')
    prepare(row, agent("claude"))
    assert claude_json(home, row)["hasCompletedOnboarding"]


def test_the_persons_template_seeds_every_session(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    home.claude_json.write_text(json.dumps({"theme": "light", "hasCompletedOnboarding": False}))
    prepare(session(), agent("claude"))
    value = claude_json(home, session())
    assert value["theme"] == "light"
    assert value["hasCompletedOnboarding"]


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_leaves_the_row_of_the_page_to_be_mounted(
    home: Home, session: Make, agent: Find, prepare: Prepare, name: str
) -> None:
    prepare(session(agent=name), agent(name))
    assert json.loads(home.claude_json.read_text())["hasCompletedOnboarding"]


@pytest.mark.parametrize(
    ("kind", "set_variable", "unset_variable"),
    [
        ("api-key", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"),
        ("oauth", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY"),
        (None, "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"),
    ],
)
def test_the_placeholder_is_of_the_kind_of_the_real_credential(
    session: Make, agent: Find, prepare: Prepare, kind: str | None, set_variable: str, unset_variable: str
) -> None:
    env = prepare(session(), agent("claude"), credential_kind=kind).env
    assert "placeholder" in env[set_variable]
    assert unset_variable not in env


def test_other_placeholders_are_set_where_the_proxy_can_lend(
    session: Make, agent: Find, prepare: Prepare
) -> None:
    assert "GH_TOKEN" not in prepare(session(), agent("claude")).env
    assert prepare(session(), agent("claude"), credentials=("github",)).env["GH_TOKEN"].startswith("ghp_")
    codex = prepare(session(agent="codex"), agent("codex")).env
    assert "placeholder" in codex["CODEX_API_KEY"] and "ANTHROPIC_API_KEY" not in codex


@pytest.mark.parametrize("name", AGENTS)
def test_no_secret_of_the_environment_is_written_or_passed(
    home: Home, session: Make, agent: Find, prepare: Prepare, name: str
) -> None:
    secret = "sk-ant-test-not-a-real-key-canary"
    variables = (
        "ANTHROPIC_API_KEY",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "OPENAI_API_KEY",
        "GEMINI_API_KEY",
        "GH_TOKEN",
    )
    made = prepare(session(agent=name), agent(name), environ=dict.fromkeys(variables, secret))
    assert secret not in str(made)
    for file in home.root.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


def test_root_is_told_that_it_sits_in_a_sandbox(session: Make, agent: Find, prepare: Prepare) -> None:
    assert prepare(session(user="0:0"), agent("claude")).env["IS_SANDBOX"] == "1"
    assert "IS_SANDBOX" not in prepare(session(user="1000:1000"), agent("claude")).env


def test_sccache_wraps_rustc_only_where_the_image_has_it(
    session: Make, agent: Find, prepare: Prepare
) -> None:
    assert "RUSTC_WRAPPER" not in prepare(session(), agent("claude")).env
    facts = ImageFacts(arch="x64", programs={"sccache": "/usr/bin/sccache"})
    env = prepare(session(), agent("claude"), facts=facts, sccache="/clauderon/sccache").env
    assert env["RUSTC_WRAPPER"] == "sccache"
    assert env["SCCACHE_DIR"] == "/clauderon/sccache/1000"
    env = prepare(session(), agent("claude"), facts=facts).env
    assert env["SCCACHE_DIR"] == "/clauderon/home/.cache/sccache"


def test_caches_that_were_shared_are_the_sessions_own_at_the_next_start(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    row = session()
    cargo = home.session_home(row.id) / ".cargo"
    prepare(row, agent("claude"), cargo_shared=True)
    assert str((cargo / "registry").readlink()) == "/clauderon/cargo/registry/1000"
    assert (cargo / ".package-cache").is_symlink()
    prepare(row, agent("claude"))
    assert list(cargo.iterdir()) == []


def test_the_configured_environment_of_an_agent_wins(session: Make, agent: Find, prepare: Prepare) -> None:
    own = Agent(name="scripted", command=("sh",), env={"EXAMPLE_TOKEN": "placeholder", "LANG": "de_DE.UTF-8"})
    env = prepare(session(agent="scripted"), own, binary=None).env
    assert env["EXAMPLE_TOKEN"] == "placeholder"
    assert env["LANG"] == "de_DE.UTF-8"


def test_an_agent_from_the_host_is_mounted_read_only_and_first_on_the_path(
    session: Make, agent: Find, prepare: Prepare
) -> None:
    made = prepare(session(), agent("claude"), facts=ImageFacts(path="/usr/bin"))
    mount = next(m for m in made.mounts if m.target == "/clauderon/agent")
    assert mount.read_only and mount.source == "/cache/claude"
    assert made.env["PATH"].startswith("/clauderon/agent/bin:/clauderon/agent:/usr/bin:")


def test_the_images_own_agent_is_called_by_its_path(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    facts = ImageFacts(programs={"claude": "/opt/bin/claude"})
    made = prepare(session(), agent("claude"), binary=None, facts=facts)
    assert not any(m.target.startswith("/clauderon/agent") for m in made.mounts)
    assert "first() { launch /opt/bin/claude " in (home.session_dir(session().id) / "launch").read_text()


def test_files_are_replaced_not_rewritten(home: Home, session: Make, agent: Find, prepare: Prepare) -> None:
    """A shell reads its script as it goes: the old container must keep the file it began with."""
    prepare(session(), agent("claude"))
    start = home.session_dir(session().id) / "start"
    with start.open("rb") as old:
        prepare(session(), agent("claude"))
        assert os.fstat(old.fileno()).st_ino != start.stat().st_ino


def test_the_session_directory_holds_nothing_unfinished(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    prepare(session(), agent("claude"))
    names = {file.name for file in home.session_dir(session().id).iterdir()}
    assert names == {"start", "launch", "mode", "prompt", "settings.json", "bash"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_root_gives_the_files_to_the_containers_user(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    row = session(user="1000:1001")
    prepare(row, agent("claude"))
    root = home.session_home(row.id)
    for path in [root, *root.rglob("*")]:
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (1000, 1001), path
    assert stat.S_IMODE((root / ".claude.json").stat().st_mode) == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="only root can pretend to be somebody else")
def test_a_container_under_another_uid_finds_its_files_open(
    home: Home, session: Make, agent: Find, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    row = session(user="0:0")
    # The files of this test are root's, so only the decision is seen here: nothing is given away.
    prepare(row, agent("claude"))
    assert "file_mask=000" in (home.session_dir(row.id) / "launch").read_text()


def test_our_own_uid_needs_no_opening(home: Home, session: Make, agent: Find, prepare: Prepare) -> None:
    row = session(user=mine())
    prepare(row, agent("claude"))
    assert stat.S_IMODE((home.session_home(row.id) / ".claude.json").stat().st_mode) == 0o600
    assert "file_mask=''" in (home.session_dir(row.id) / "launch").read_text()


def test_the_mode_is_for_the_next_start(home: Home, session: Make, agent: Find, prepare: Prepare) -> None:
    row = session()
    prepare(row, agent("claude"))
    setup.set_mode(home, row, "idle")
    assert (home.session_dir(row.id) / "mode").read_text() == "idle\n"
    prepare(row, agent("claude"))
    assert (home.session_dir(row.id) / "mode").read_text() == "agent\n"


def test_who_commits_is_known_in_repositories_that_are_made_inside(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    """`git init nested` inside had nobody to commit as: "Please tell me who you are"."""
    made = session()
    private = home.git_dir(made.id)
    private.mkdir(parents=True)
    user = '[user]\n\tname = "Ada \\"L\\" [x]"\n\temail = "ada@example.test"\n'
    (private / "config").write_text('[core]\n\tbare = "false"\n' + user + '[remote "o"]\n\turl = "x"\n')
    prepare(made, agent("claude"))
    written = (home.session_home(made.id) / ".gitconfig").read_text()
    assert written == "[safe]\n\tdirectory = *\n" + user


def test_a_login_gets_files_of_its_shape_and_no_variables(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    row, lent = session(), {"anthropic-oauth": {"subscriptionType": "max", "scopes": ["user:inference"]}}
    path = home.session_home(row.id) / ".claude/.credentials.json"
    env = prepare(row, agent("claude"), credentials=("anthropic-oauth",), logins=lent).env
    assert not {"ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"} & env.keys()
    kept = json.loads(path.read_text())["claudeAiOauth"]
    assert (kept["subscriptionType"], kept["scopes"]) == ("max", ["user:inference"])
    assert kept["expiresAt"] == placeholders.FAR_S * 1000
    # A key was set since.
    env = prepare(row, agent("claude"), credentials=("anthropic", "anthropic-oauth"), logins=lent).env
    assert "ANTHROPIC_API_KEY" in env
    assert "placeholder" not in path.read_text()


def test_codex_finds_a_chatgpt_login_where_one_is_lent(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    row = session()
    env = prepare(
        row, agent("codex"), credentials=("chatgpt",), logins={"chatgpt": {"plan": "pro", "account": "a-1"}}
    ).env
    assert not {"OPENAI_API_KEY", "CODEX_API_KEY"} & env.keys()
    kept = json.loads((home.session_home(row.id) / ".codex/auth.json").read_text())
    assert (kept["auth_mode"], kept["OPENAI_API_KEY"]) == ("chatgpt", None)
    assert kept["tokens"]["access_token"] == placeholders.codex_token("pro", "a-1")


def test_geminis_way_in_follows_what_is_lent_and_leaves_another_alone(
    home: Home, session: Make, agent: Find, prepare: Prepare
) -> None:
    row = session()
    folder = home.session_home(row.id) / ".gemini"
    lent: tuple[dict[str, Any], ...] = (
        {"credentials": ("google-oauth",), "logins": {"google-oauth": {}}},
        {"credentials": ("google", "google-oauth"), "logins": {"google-oauth": {}}},
    )
    for given, way in (*zip(lent, ("oauth-personal", "gemini-api-key"), strict=True), ({}, "gemini-api-key")):
        env = prepare(row, agent("gemini"), **given).env
        settings = json.loads((folder / "settings.json").read_text())
        assert settings["security"]["auth"]["selectedType"] == way
        assert ("GEMINI_API_KEY" in env) == (way != "oauth-personal")
    kept = json.loads((folder / "oauth_creds.json").read_text())
    assert kept["access_token"] == placeholders.GEMINI_ACCESS
    assert kept["expiry_date"] == placeholders.FAR_S * 1000
    settings["security"]["auth"]["selectedType"] = "vertex-ai"
    settings["ui"] = {"theme": "mine"}
    (folder / "settings.json").write_text(json.dumps(settings))
    prepare(row, agent("gemini"), **lent[0])
    assert json.loads((folder / "settings.json").read_text()) == settings
