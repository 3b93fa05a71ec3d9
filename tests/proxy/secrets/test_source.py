"""Secrets that a command supplies: asked for where it is wanted, side by side, and handed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon import config, proc
from clauderon.config.schema import Config, Credential
from clauderon.paths import Home
from clauderon.proxy.secrets import source as secret_source
from clauderon.proxy.secrets.credentials import Given, Secret
from tests.proxy.service_rig import eventually

CANARY = "sk-ant-test-not-a-real-key-0001"


def write(home: Home, text: str) -> Config:
    home.config.write_text(text)
    return config.load(home, {})


def program(directory: Path, name: str, script: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_collect_runs_commands_side_by_side_and_keeps_their_failures_apart(
    home: Home, tmp_path: Path
) -> None:
    program(tmp_path, "op", f'[ "$4" = op://v/i ] && printf %s {CANARY}')
    program(tmp_path, "fails", "echo secret-in-stdout; echo no vault >&2; exit 3")
    program(tmp_path, "babbles", "printf 'one\\ntwo\\n'")
    loaded = write(
        home,
        '[credentials.a]\nhosts = ["a.test"]\nenv = "A"\n'
        '[credentials.b]\nhosts = ["b.test"]\ncommand = ["fails"]\n'
        '[credentials.c]\nhosts = ["c.test"]\ncommand = ["babbles"]\n'
        '[credentials.d]\nhosts = ["d.test"]\ncommand = ["not-there"]\n'
        '[credentials.e]\nhosts = ["e.test"]\nenv = "E"\n',
    )
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "A": "op://v/i", "E": "plain"}
    found, problems = secret_source.collect(loaded, home, environ)
    assert {name: (item.secret.reveal(), item.origin) for name, item in found.items()} == {
        "a": (CANARY, "op:// in env A"),
        "e": ("plain", "env E"),
    }
    assert [problem.split(":")[0] for problem in sorted(problems)] == [
        "credential b",
        "credential c",
        "credential d",
    ]
    text = " ".join(problems)
    assert "fails ended with 3: no vault" in text
    assert "secret-in-stdout" not in text
    assert "control character" in text


def test_a_password_manager_is_not_asked_again_for_what_is_held(home: Home, tmp_path: Path) -> None:
    count = tmp_path / "count"
    program(tmp_path, "print-it", f"echo x >>{count}; echo value")
    loaded = write(home, '[credentials.a]\nhosts = ["a.test"]\ncommand = ["print-it"]\nenv = "A"\n')
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    secret_source.collect(loaded, home, environ)
    for held in ({"a": "command print-it"}, {"a": "env A"}):
        assert secret_source.collect(loaded, home, environ, held=held) == ({}, [])
    assert count.read_text() == "x\n"


def test_nobody_is_asked_where_it_was_not_wanted(home: Home, tmp_path: Path) -> None:
    count = tmp_path / "count"
    program(tmp_path, "print-it", f"echo x >>{count}; echo value")
    loaded = write(home, '[credentials.a]\nhosts = ["a.test"]\ncommand = ["print-it"]\n')
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert secret_source.collect(loaded, home, environ, fetch=False) == ({}, [])
    assert not count.exists()


@pytest.mark.parametrize("how", ["too long", "interrupted"])
def test_a_command_that_does_not_end_is_ended(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    for name in ("first", "second"):
        program(tmp_path, name, f"echo $$ >{tmp_path}/{name}.pid; exec sleep 600")
    loaded = write(
        home,
        '[credentials.a]\nhosts = ["a.test"]\ncommand = ["first"]\n'
        '[credentials.b]\nhosts = ["b.test"]\ncommand = ["second"]\n',
    )
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    monkeypatch.setattr(secret_source, "COMMAND_TIMEOUT_S", 0.5)
    if how == "too long":
        _, problems = secret_source.collect(loaded, home, environ)
        assert [problem.split(":")[0] for problem in problems] == ["credential a", "credential b"]
    else:

        def interrupt(*_: object, **__: object) -> None:
            eventually(lambda: (tmp_path / "second.pid").exists(), "both run")
            raise KeyboardInterrupt

        monkeypatch.setattr(proc.Running, "result", interrupt)
        with pytest.raises(KeyboardInterrupt):
            secret_source.collect(loaded, home, environ)
    for name in ("first", "second"):
        assert not Path(f"/proc/{(tmp_path / name).with_suffix('.pid').read_text().strip()}").exists()


def test_secrets_travel_by_a_descriptor_and_come_back(home: Home) -> None:
    given_secrets = {"a": Given(Secret(CANARY), "env A")}
    descriptor = secret_source.to_descriptor(given_secrets)
    assert secret_source.parse_plain(secret_source.from_descriptor(descriptor)) == given_secrets


def test_the_service_is_started_with_no_credential_in_its_environment() -> None:
    environ = {
        "PATH": "/bin",
        "HOME": "/h",
        "LC_ALL": "C",
        "CLAUDERON_HOME": "/c",
        "https_proxy": "http://p:1",
        "ANTHROPIC_API_KEY": CANARY,
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "OP_SERVICE_ACCOUNT_TOKEN": CANARY,
        "GIT_ASKPASS": CANARY,
        "PS1": "$",
    }
    assert set(secret_source.service_environ(environ)) == {
        "PATH",
        "HOME",
        "LC_ALL",
        "CLAUDERON_HOME",
        "https_proxy",
    }


def test_a_secret_handed_over_is_forgotten_with_its_source(home: Home) -> None:
    credential = Credential("x", env=("X",), file="x")
    assert Given(Secret("s"), "env X").still_applies(credential, home)
    assert Given(Secret("s"), "op:// in env X").still_applies(credential, home)
    assert Given(Secret("s"), "op:// in file x").still_applies(credential, home)
    assert not Given(Secret("s"), "env OTHER").still_applies(credential, home)
    assert not Given(Secret("s"), "command op").still_applies(credential, home)
