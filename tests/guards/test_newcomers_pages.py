"""The pages that a newcomer meets first: what they name exists, and they fetch nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_every_path_that_the_contributors_page_names_exists() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:clauderon|tests|bats|scripts|docs|\.ci)/[\w./-]*)", page))
    named |= set(re.findall(r"\]\(([\w./-]+)\)", page))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_package_of_the_source_is_on_the_contributors_page() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    packages = {path.parent.name for path in (ROOT / "clauderon").glob("*/__init__.py")}
    assert [name for name in sorted(packages) if f"clauderon/{name}/" not in page] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_every_link_of_a_first_page_leads_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / name).read_text()):
        assert (ROOT / link).exists(), link


def test_the_picture_of_top_is_of_top_and_fetches_nothing() -> None:
    picture = (ROOT / "docs/top.svg").read_text()
    assert set(re.findall(r"https?://[^\"' )]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in picture.replace("url(#", "")
    assert all(title in picture for title in ("STATE", "TRAFFIC", "TOKENS", "COST"))


def test_the_picture_shows_real_commands_and_fetches_nothing() -> None:
    picture = (ROOT / "docs/demo.svg").read_text()
    assert "docs/demo.svg" in (ROOT / "README.md").read_text()
    assert set(re.findall(r"https?://[^\"' )]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in picture.replace("url(#", "")
    assert "proxy&#160;log" in picture


def test_the_manual_page_has_every_command_and_no_stray_request() -> None:
    from clauderon.cli import app

    page = (ROOT / "clauderon/share/clauderon.1").read_text()
    for command in app.COMMANDS:
        words = " ".join(word for word in (command.group, command.name) if word).replace("-", "\\-")
        assert f".SS clauderon {words}" in page
    requests = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert requests <= {'.\\"', ".TH", ".SH", ".SS", ".B", ".BR", ".RI", ".TP", ".PP", ".EX", ".EE"}
