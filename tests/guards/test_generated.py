"""The generated files are what the code says, and the documentation's tables of variables hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from clauderon.config.keys import OTHER_VARIABLES, variables
from clauderon.errors import EXIT_STATUS
from clauderon.spec import HOST_VARIABLES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def test_generated_files_are_up_to_date() -> None:
    answer = subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_every_variable_stands_in_the_documentation() -> None:
    page = (DOCS / "configuration.md").read_text()
    for name in (*OTHER_VARIABLES, *(name for name, _key in variables(["<NAME>"]))):
        assert f"`{name}`" in page, name


def test_every_exit_status_stands_in_the_documentation() -> None:
    page = (DOCS / "exit-status.md").read_text()
    for status, meaning in EXIT_STATUS.items():
        assert f"| {status} | {meaning} |" in page


def test_the_variables_of_a_session_stand_in_the_documentation() -> None:
    page = (DOCS / "shell.md").read_text()
    shown = set(re.findall(r"CLAUDERON_SESSION_[A-Z_]+|(?<=`)_[A-Z_]+(?=`)", page))
    for name in HOST_VARIABLES:
        assert name in shown or name.removeprefix("CLAUDERON_SESSION") in shown, name


def test_every_variable_of_make_stands_in_the_documentation() -> None:
    page = (DOCS / "make.md").read_text()
    rules = (ROOT / "clauderon" / "share" / "clauderon.mk").read_text()
    names = re.findall(r"(?m)^(CLAUDERON\w*) \?= ?(.*)$", rules)
    assert len(names) > 5
    for name, default in names:
        row = re.search(rf"(?m)^\| `{name}` \| (.*?) ?\|", page)
        assert row is not None, name
        assert row[1].strip("` ") == default, name


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in (*DOCS.glob("*.md"), *ROOT.glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
