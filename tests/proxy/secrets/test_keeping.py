"""Where secrets are kept: in a keyring where one answers, else in a file, and never in both."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from clauderon import config
from clauderon.errors import BackendError, ClauderonError
from clauderon.paths import Home
from clauderon.proxy.secrets import credentials, keeping, ring
from clauderon.proxy.secrets.credentials import Given, Secret
from clauderon.proxy.secrets.in_file import BadSecret
from tests.standins import keyrings

VALUE = Secret("sk-test-not-a-real-key-0001")
FILE = "anthropic_api_key"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, **keyrings.environment(tmp_path / "ring.json")}


def in_ring(tmp_path: Path) -> list[str]:
    try:
        return list(json.loads((tmp_path / "ring.json").read_text()).values())
    except FileNotFoundError:
        return []


def test_a_keyring_that_answers_has_it_and_no_file_does(
    home: Home, environ: dict[str, str], tmp_path: Path
) -> None:
    (home.secrets / FILE).write_text("an earlier one")
    where, why = keeping.keep(home, environ, "anthropic", FILE, VALUE)
    assert (where, why) == (keyrings.NAME, "")
    assert in_ring(tmp_path) == [VALUE.reveal()]
    assert not (home.secrets / FILE).exists()
    found = credentials.locate(config.load(home, {}).credentials["anthropic"], home, {})
    assert found.origin == f"keyring {FILE}" and found.supplied and found.teller == "keyring"


def test_without_a_keyring_a_file_has_it(home: Home) -> None:
    where, why = keeping.keep(home, os.environ, "anthropic", FILE, VALUE)
    assert where == f"secrets/{FILE}" and why
    assert (home.secrets / FILE).read_text() == f"{VALUE.reveal()}\n"
    assert ring.names(home) == []


def test_a_file_that_is_asked_for_comes_in_the_place_of_the_keyring(
    home: Home, environ: dict[str, str], tmp_path: Path
) -> None:
    keeping.keep(home, environ, "anthropic", FILE, Secret("an-earlier-one"))
    assert keeping.keep(home, environ, "anthropic", FILE, VALUE, in_file=True) == (f"secrets/{FILE}", "")
    found = credentials.locate(config.load(home, {}).credentials["anthropic"], home, {})
    assert found.secret == VALUE
    keeping.clear(home, environ, "anthropic", FILE, patient=False)
    assert in_ring(tmp_path) == []


def test_a_reference_is_kept_where_references_are_looked_for(home: Home, environ: dict[str, str]) -> None:
    assert keeping.keep(home, environ, "anthropic", FILE, Secret("op://vault/item"))[0] == f"secrets/{FILE}"


def test_a_locked_keyring_is_an_error_and_not_a_file_in_its_place(
    home: Home, environ: dict[str, str]
) -> None:
    environ["FAKE_KEYRING_IS"] = "locked"
    with pytest.raises(BackendError, match="is locked") as caught:
        keeping.keep(home, environ, "anthropic", FILE, VALUE)
    assert "--file anthropic" in (caught.value.hint or "")
    assert list(home.secrets.iterdir()) == [] and ring.names(home) == []


def test_what_a_locked_keyring_still_has_is_read_no_more_and_can_be_removed_later(
    home: Home, environ: dict[str, str], tmp_path: Path
) -> None:
    keeping.keep(home, environ, "anthropic", FILE, VALUE)
    assert keeping.withdraw(home, FILE)
    assert not credentials.locate(config.load(home, {}).credentials["anthropic"], home, {}).supplied
    with pytest.raises(BackendError, match="still has it"):
        keeping.clear(home, {**environ, "FAKE_KEYRING_IS": "locked"}, "anthropic", FILE, patient=True)
    assert keeping.withdraw(home, FILE)
    keeping.clear(home, environ, "anthropic", FILE, patient=True)
    assert in_ring(tmp_path) == [] and not keeping.withdraw(home, FILE)


def test_the_list_says_where_each_is_and_what_comes_before_it(home: Home, environ: dict[str, str]) -> None:
    keeping.keep(home, environ, "anthropic", FILE, VALUE)
    keeping.keep(home, environ, "github", "github_token", VALUE, in_file=True)
    (home.secrets / "stray").write_text("x")
    (home.secrets / "openai_api_key").write_text("x")
    (home.secrets / "openai_api_key").chmod(0o644)
    rows = keeping.stored(config.load(home, {}), home, {"GH_TOKEN": "x"})
    assert [(row.name, row.where, row.credentials, dict(row.before)) for row in rows] == [
        ("anthropic", keyrings.NAME, ("anthropic",), {}),
        (
            "github",
            "secrets/github_token",
            ("github", "github-git"),
            {"github": "env GH_TOKEN", "github-git": "env GH_TOKEN"},
        ),
        ("openai", "secrets/openai_api_key", ("openai",), {}),
        ("stray", "secrets/stray", (), {}),
    ]
    assert "others may read it" in rows[2].problem
    assert VALUE.reveal() not in repr(rows)


def test_a_service_is_told_of_what_is_lent_and_forgets_what_is_not(
    home: Home, environ: dict[str, str]
) -> None:
    settings = config.load(home, {})
    keeping.keep(home, environ, "github", "github_token", VALUE)
    kept = Given(VALUE, "keyring github_token")
    said = keeping.given(settings, home, {}, "github_token", VALUE)
    assert said == {"github": kept, "github-git": kept}
    assert keeping.given(settings, home, {"GH_TOKEN": "x"}, "github_token", VALUE) == {}
    assert keeping.given(settings, home, {}, "github_token", None) == {"github": None, "github-git": None}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"   \n", "empty"),
        (b"a\nb\n", "more than one line"),
        (b"a\n\n", "more than one line"),
        (b" a", "space"),
        (b"a \n", "space"),
        (b"a\rb", "control character"),
        (b"a\0b", "control character"),
        (b"a\x1bb", "control character"),
        (b"a\x7f", "control character"),
        (b"\xff\xfe", "not text"),
        ("\ufeffa".encode(), "not ASCII"),
        (b"a" * 16385, "longer"),
        (b"a" * 20000, "longer"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_without_being_shown(data: bytes, why: str) -> None:
    with pytest.raises(BadSecret, match=why):
        keeping.checked(data)


@pytest.mark.parametrize("data", [b"sk-1", b"sk-1\n", b"sk-1\r\n"])
def test_one_line_end_is_taken_off(data: bytes) -> None:
    assert keeping.checked(data).reveal() == "sk-1"


def test_a_full_disk_is_said_and_the_former_secret_stays(
    home: Home, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping.keep(home, environ, "anthropic", FILE, Secret("former"), in_file=True)

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ClauderonError, match="no space left on device") as caught:
        keeping.keep(home, environ, "anthropic", FILE, VALUE, in_file=True)
    assert VALUE.reveal() not in str(caught.value)
    assert (home.secrets / FILE).read_text() == "former\n"
