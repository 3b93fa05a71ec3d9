"""An agent that brings what a filter of the person's runs: refused by name, and let through by name."""

from __future__ import annotations

import pytest

from tests.standins.engine import DEBIAN, Engine
from tests.standins.repository import git

pytestmark = pytest.mark.live

BRING = """cd /workspace
printf '*.txt filter=strip\\n' >.gitattributes
printf 'open("ran", "w"); print("stripped")\\n' >nbstripout.py
echo data >z.txt
git add -A && git commit -qm Bring"""


def test_merge_runs_a_filter_only_when_it_is_named_in_the_configuration(engine: Engine) -> None:
    """Seen to merge, and to run the agent's nbstripout.py on this machine, with no filter switched off and none refused."""
    engine.scripted(image=DEBIAN)
    repo = engine.repo()
    git("config", "filter.strip.smudge", "python3 -m nbstripout", cwd=repo)
    name = engine.name("a")
    answer = engine.create("a", "--print", prompt=BRING)
    assert "filters (strip)" in answer.error
    refused = engine.cli("merge", name)
    assert refused.status == 6, refused
    assert "filter strip of your git configuration applies to" in refused.error
    assert '[git] trusted_filters = ["strip"]' in refused.error
    assert git("status", "--porcelain", cwd=repo) == ""
    assert not (repo / "ran").exists()
    engine.scripted('[git]\ntrusted_filters = ["strip"]\n', image=DEBIAN)
    engine.cli.ok("merge", name)
    assert (repo / "z.txt").read_text() == "stripped\n"
    assert (repo / "ran").exists()
