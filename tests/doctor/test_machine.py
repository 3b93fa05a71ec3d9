"""The doctor's checks that need no engine: each thing wrong is seen, named, and mended by the command it prints."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from pathlib import Path

import pytest

from clauderon.doctor import examine, machine, network
from clauderon.doctor.check import Check
from clauderon.paths import Home
from clauderon.record import Session
from clauderon.store import Store
from tests.doctor.remedies import SETTINGS, mended


def a_session(home: Home, git_dir: Path) -> None:
    with Store.open(home) as store:
        store.add(
            Session(
                id="0123456789ab", name="fix", state="running", step="", port=0, repo=str(git_dir.parent),
                git_dir=str(git_dir), branch="b", base="0" * 40, agent="claude", image="x", created_at=1.0,
                updated_at=1.0,
            ),
            range(3100, 3200),
        )  # fmt: skip


def test_a_home_that_others_may_write_is_a_failure(home: Home) -> None:
    assert machine.state_directory(home).outcome == "ok"
    for path, mode in ((home.root, 0o777), (home.secrets, 0o750), (home.secrets, 0o702)):
        path.chmod(mode)
        check = machine.state_directory(home)
        assert check.outcome == "fail", (path, oct(mode))
        mended(check, lambda: machine.state_directory(home))


def test_a_configuration_that_others_may_write_is_a_failure(home: Home) -> None:
    home.config.write_text("")
    home.config.chmod(0o666)
    check = machine.state_directory(home)
    assert (check.outcome, check.found) == ("fail", f"{home.config} can be written by others")
    mended(check, lambda: machine.state_directory(home))


def test_no_home_yet_is_fine_and_none_is_made(tmp_path: Path) -> None:
    home = Home(tmp_path / "none")
    assert machine.state_directory(home).outcome == "ok"
    assert machine.database(home).outcome == "ok"
    assert machine.disk(home).outcome == "ok"
    assert machine.locks(home).outcome == "ok"
    assert network.certificate(home).outcome == "ok"
    assert not home.root.exists()


def test_a_file_where_the_home_should_be_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "it's a file").touch()
    home = Home(tmp_path / "it's a file")
    check = machine.state_directory(home)
    assert (check.outcome, check.found) == ("fail", f"{home.root} is not a directory")
    mended(check, lambda: machine.state_directory(home))


def test_a_home_that_is_a_link_to_nowhere_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "home").symlink_to(tmp_path / "un mounted" / "disk")
    for home in (Home(tmp_path / "home"), Home(tmp_path / "home" / "below")):
        check = machine.state_directory(home)
        target = tmp_path / "un mounted" / "disk"
        found = f"{tmp_path / 'home'} leads to {target}, which is not there (a disk that is not mounted?)"
        assert (check.outcome, check.found) == ("fail", found)
        mended(check, partial(machine.state_directory, home))
        target.rmdir()


def test_a_home_that_cannot_be_made_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    check = machine.state_directory(Home(tmp_path / "file" / "home"))
    assert (check.outcome, check.found) == ("fail", f"{tmp_path / 'file'} is not a directory")
    mended(check, lambda: machine.state_directory(Home(tmp_path / "file" / "home")))
    home = Home(tmp_path / "not" / "there")
    assert machine.state_directory(home).outcome == "ok"
    # Nobody keeps root from writing.
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != tmp_path)
    check = machine.state_directory(home)
    assert (check.outcome, check.found) == ("fail", f"{home.root} cannot be made in {tmp_path}")
    mended(check, lambda: machine.state_directory(home))


def test_a_home_on_a_disk_that_is_read_only_is_a_failure(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert machine.state_directory(home).mend == f'sudo chown -R "$(id -u)" {home.root}'
    monkeypatch.setattr(os, "statvfs", lambda _path: type("Facts", (), {"f_flag": os.ST_RDONLY}))
    check = machine.state_directory(home)
    assert (check.outcome, check.found) == ("fail", f"{home.root} is on a disk that is read-only")
    assert check.mend == f'sudo mount -o remount,rw "$(findmnt -no TARGET -T {home.root})"'


def test_the_checks_go_on_without_a_home(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (Home(tmp_path / "file"), Home(tmp_path / "file" / "home")):
        checks = list(examine(home, {"PATH": str(tmp_path)}))
        assert {"state directory", "configuration"} <= {c.name for c in checks if c.outcome == "fail"}
        assert {"disk", "proxy", "docker"} <= {c.name for c in checks}


def test_a_misspelt_variable_is_named_with_the_nearest() -> None:
    check = machine.variables(SETTINGS, {"CLAUDERON_DOCKER_IMGAE": "x", "CLAUDERON_HOME": "/x"})
    assert (check.outcome, check.mend) == ("warn", "unset CLAUDERON_DOCKER_IMGAE")
    assert check.found == "unknown variable CLAUDERON_DOCKER_IMGAE; the nearest is CLAUDERON_DOCKER_IMAGE"


def test_the_variables_of_a_session_are_no_misspelt_ones() -> None:
    from clauderon.spec import HOST_VARIABLES

    assert machine.variables(SETTINGS, dict.fromkeys(HOST_VARIABLES, "x")).outcome == "ok"


def test_without_git_the_way_to_get_it_is_printed(tmp_path: Path) -> None:
    assert machine.git(os.environ).outcome == "ok"
    check = machine.git({"PATH": str(tmp_path)})
    assert (check.outcome, check.mend) == ("fail", "sudo apt-get install git")


def test_a_damaged_database_is_a_failure_that_reconcile_mends(home: Home) -> None:
    home.database.write_bytes(b"not a database, but long enough to look like one" * 100)
    check = machine.database(home)
    assert (check.outcome, check.mend) == ("fail", "clauderon reconcile --rebuild-database")
    assert machine.locks(home).outcome == "warn"


def test_a_session_left_half_way_is_a_warning(home: Home, tmp_path: Path) -> None:
    a_session(home, tmp_path / "repo" / ".git")
    assert machine.database(home).outcome == "ok"
    with Store.open(home) as store:
        store.update("0123456789ab", state="deleting")
    check = machine.database(home)
    assert (check.outcome, check.mend) == ("warn", "clauderon reconcile")
    assert "fix" in check.found


def test_a_credential_that_cannot_be_used_is_a_failure(home: Home) -> None:
    check = machine.credentials(
        SETTINGS, home, {"ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001\nX: y"}
    )
    assert check.outcome == "fail"
    assert "sk-ant" not in repr(check)


def test_a_missing_credential_is_a_warning_that_says_what_keeps_one(home: Home) -> None:
    check = machine.credentials(SETTINGS, home, {})
    assert (check.outcome, check.mend) == ("warn", "clauderon secret set anthropic")
    found = machine.credentials(SETTINGS, home, {"ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001"})
    assert (found.outcome, found.found) == ("ok", "set: anthropic (env ANTHROPIC_API_KEY)")
    narrowed = SETTINGS._replace(general=SETTINGS.general._replace(credentials=("github",)))
    withheld = machine.credentials(narrowed, home, {"ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001"})
    assert (withheld.outcome, "lends none" in withheld.found) == ("warn", True)


def test_a_full_disk_is_seen(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, outcome in ((0, "fail"), (3 * machine.GIB, "warn"), (50 * machine.GIB, "ok")):
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr("shutil.disk_usage", lambda _place, usage=usage: usage)
        assert machine.disk(home).outcome == outcome


def test_an_index_lock_left_by_a_killed_git_is_found_and_removed(home: Home, repo: Path) -> None:
    a_session(home, repo / ".git")
    lock = repo / ".git" / "index.lock"
    lock.touch()
    assert machine.locks(home).outcome == "ok"  # a git that is at work just now
    old = time.time() - 2 * machine.INDEX_LOCK_OLD_S
    os.utime(lock, (old, old))
    check = machine.locks(home)
    assert check.outcome == "warn"
    mended(check, lambda: machine.locks(home))
    assert not lock.exists()


def test_what_depends_on_a_broken_configuration_is_not_looked_at_and_everything_else_is(
    home: Home, tmp_path: Path
) -> None:
    """By the defaults the doctor would look at another port, agent and engine than those of the file."""
    home.config.write_text("[proxy]\nport = 3950\n[broken\n")
    environ = {"PATH": str(tmp_path), "HOME": str(tmp_path), "CLAUDERON_AGENTS_MINE_IMAGE": "x"}
    checks = list(examine(home, environ))
    found = {check.name: check for check in checks}
    assert found["configuration"].outcome == "fail"
    assert f"{home.config}:3:8" in found["configuration"].found
    assert {"state directory", "git", "database", "disk", "CA"} <= found.keys()
    skipped = {"environment", "credentials", "agents", "proxy", "docker"}
    said = "not looked at, since the configuration cannot be read"
    assert {check.name for check in checks if check == Check(check.name, "warn", said)} == skipped
    assert checks[-1].name == "docker"


def test_a_configuration_that_cannot_be_read_is_to_be_edited(home: Home) -> None:
    home.config.mkdir()
    check = {c.name: c for c in _until_docker(home)}["configuration"]
    assert check.outcome == "fail"
    assert check.mend


def _until_docker(home: Home) -> list[Check]:
    found = []
    for check in examine(home, {**os.environ, "PATH": "/nonexistent"}):
        found.append(check)
        if check.name == "proxy":
            break
    return found


def test_a_login_on_the_host_is_set_and_says_until_when(home: Home, tmp_path: Path) -> None:
    kept = tmp_path / ".claude/.credentials.json"
    kept.parent.mkdir()
    login = {
        "accessToken": "test-not-a-real-token",
        "refreshToken": "",
        "expiresAt": (time.time() + 60) * 1000,
    }
    kept.write_text(json.dumps({"claudeAiOauth": login}))
    check = machine.credentials(SETTINGS, home, {"HOME": str(tmp_path)})
    assert check.outcome == "ok"
    assert "anthropic-oauth (login of Claude Code, valid until 2" in check.found
    kept.write_text(json.dumps({"claudeAiOauth": {**login, "expiresAt": 1}}))
    check = machine.credentials(SETTINGS, home, {"HOME": str(tmp_path), "ANTHROPIC_API_KEY": "sk-ant-test-1"})
    assert check.outcome == "warn"
    assert "claude /login" in check.found
