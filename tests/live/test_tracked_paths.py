"""A repository that tracks the paths we mount over keeps its own files, and is told so."""

from __future__ import annotations

import pytest

from tests.standins.engine import DEBIAN, Engine
from tests.standins.repository import git, make_repo

pytestmark = pytest.mark.live

OWN = {".claude.json": "{}\n", ".clauderon/hooks/x": "own\n", "src/hello.txt": "hello\n"}


@pytest.fixture
def tracked(engine: Engine) -> Engine:
    engine.scripted(image=DEBIAN)
    make_repo(engine.root / "repo", files=OWN)
    (engine.home.hooks / "Stop.sh").write_text("true\n")
    return engine


def statuses(engine: Engine, word: str) -> list[str]:
    """`git status` of the checkout, of the worktree, and inside."""
    return [
        git("status", "--porcelain", cwd=engine.root / "repo"),
        git("status", "--porcelain", cwd=engine.home.worktree(engine.name(word))),
        engine.inside(word, "git status --porcelain"),
    ]


def test_git_status_is_clean_everywhere_and_the_person_is_told(tracked: Engine) -> None:
    answer = tracked.create("t")
    assert statuses(tracked, "t") == ["", "", ""]
    assert "the repository has a .claude.json of its own" in answer.error
    assert "the repository has hooks of its own in .clauderon/hooks" in answer.error
    assert tracked.inside("t", "cat .claude.json .clauderon/hooks/x") == "{}\nown"


def test_the_persons_hooks_and_uploads_are_there_all_the_same(tracked: Engine) -> None:
    tracked.create("t")
    assert tracked.inside("t", "cat /clauderon/hooks/Stop.sh") == "true"
    picture = tracked.root / "picture.png"
    picture.write_bytes(b"\x89PNG")
    where = tracked.cli.ok("upload", tracked.name("t"), str(picture)).text.strip()
    assert tracked.inside("t", f"wc -c <'{where}'").strip() == "4"
    assert statuses(tracked, "t") == ["", "", ""]


def test_a_new_file_beside_the_tracked_ones_can_be_committed(tracked: Engine) -> None:
    tracked.create("t")
    tracked.inside("t", "echo new >.clauderon/hooks/y; git add --all; git commit -qm 'Add a hook'")
    assert tracked.inside("t", "git show --name-only --format=") == ".clauderon/hooks/y"


def test_refresh_keeps_it_so(tracked: Engine) -> None:
    tracked.create("t")
    tracked.cli.ok("refresh", tracked.name("t"), "--pull-policy", "never")
    assert statuses(tracked, "t") == ["", "", ""]
    assert tracked.inside("t", "cat .clauderon/hooks/x") == "own"
