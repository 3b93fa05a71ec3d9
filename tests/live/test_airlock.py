"""The git airlock, end to end: what a container can do to the user's repository is commit to one branch."""

from __future__ import annotations

import pytest

from tests.standins.engine import Engine
from tests.standins.repository import git

pytestmark = pytest.mark.live


@pytest.fixture
def session(engine: Engine) -> Engine:
    engine.scripted()
    engine.repo()
    engine.create("a")
    return engine


def test_inside_git_works_as_anywhere(session: Engine) -> None:
    session.inside(
        "a",
        """set -e
        echo 1 > f && git add f && git commit -q -m one
        echo 2 > f && git stash -q && git stash pop -q && git commit -q -a -m two
        git branch other HEAD~1 && git rebase -q other && git gc -q && git fsck --connectivity-only
        git log --oneline | wc -l | grep -q 3""",
    )
    session.cli.ok("sync", session.name("a"))
    branch = f"clauderon/{session.name('a')}"
    assert git("log", "--format=%s", branch, cwd=session.root / "repo").split() == ["two", "one", "Begin"]


def test_nothing_of_the_users_git_can_be_written_or_seen(session: Engine) -> None:
    repo = session.root / "repo"
    git("branch", "secret-plan", cwd=repo)
    before = {
        path.relative_to(repo): path.read_bytes() for path in (repo / ".git").rglob("*") if path.is_file()
    }
    mounts = session.inspect("a")["Mounts"]
    exposed = [m for m in mounts if m["Source"].startswith(str(repo)) and m["RW"]]
    assert exposed == []
    assert [m["Source"] for m in mounts if m["Source"].startswith(str(repo))] == [
        str(repo / ".git" / "objects")
    ]
    assert "secret-plan" not in session.inside("a", "git for-each-ref; git branch -a; git worktree list")
    session.inside(
        "a",
        """for f in $(find / -xdev -name config -path '*objects*' 2>/dev/null); do echo x > "$f"; done
        for d in $(git rev-parse --git-path objects/info) /clauderon/objects/*; do touch "$d/hurt" 2>/dev/null; done
        rm -rf /workspace/.git 2>/dev/null; git update-ref -d refs/heads/main 2>/dev/null; git gc -q; true""",
    )
    session.cli("sync", session.name("a"))
    after = {
        path.relative_to(repo): path.read_bytes() for path in (repo / ".git").rglob("*") if path.is_file()
    }
    assert {name: after.get(name) for name in before} == before


def test_hooks_and_configuration_planted_inside_never_run_on_the_host(session: Engine) -> None:
    mark = session.root / "ran-on-the-host"
    command = f"touch {mark}"
    session.inside(
        "a",
        f"""d=$(git rev-parse --git-dir)
        mkdir -p "$d/hooks" .husky
        for h in pre-commit post-commit post-checkout post-merge reference-transaction pre-push post-index-change; do
            printf '#!/bin/sh\\n{command}\\n' > "$d/hooks/$h"; chmod +x "$d/hooks/$h"; cp "$d/hooks/$h" .husky/
        done
        git config core.hooksPath .husky; git config core.fsmonitor '{command}'
        git config filter.evil.clean '{command}'; git config filter.evil.smudge '{command}'
        git config diff.external '{command}'; git config core.pager '{command}'; git config core.editor '{command}'
        echo '* filter=evil diff=evil' > .gitattributes; git config diff.evil.command '{command}'
        git -c core.hooksPath=/dev/null -c core.fsmonitor=false add -A
        git -c core.hooksPath=/dev/null -c core.fsmonitor=false commit -q -m planted""",
    )
    name = session.name("a")
    for command_line in (("sync", name), ("status", name), ("diff", name), ("list",), ("stop", name)):
        session.cli(*command_line)
    session.cli("merge", name)
    session.cli("delete", name, "--force")
    assert not mark.exists()


def test_when_both_sides_moved_nothing_is_overwritten(session: Engine) -> None:
    name = session.name("a")
    branch = f"clauderon/{name}"
    repo = session.root / "repo"
    session.inside("a", "echo in > in && git add in && git commit -q -m inside")
    inside = session.inside("a", "git rev-parse HEAD")
    tree = git("rev-parse", "main^{tree}", cwd=repo).strip()
    host = git("commit-tree", tree, "-p", "main", "-m", "on the host", cwd=repo).strip()
    git("update-ref", f"refs/heads/{branch}", host, cwd=repo)
    answer = session.cli("sync", name)
    assert git("rev-parse", branch, cwd=repo).strip() == host
    assert git("rev-parse", f"refs/clauderon/{name}/incoming", cwd=repo).strip() == inside
    assert "incoming" in answer.text + answer.error


def test_a_planted_repository_in_the_tree_is_said_and_not_entered(session: Engine) -> None:
    session.inside("a", "mkdir sub && cd sub && git init -q && git config core.fsmonitor 'touch /tmp/never'")
    status = session.cli.ok("status", session.name("a"), "--json").json["data"]
    assert any("sub" in planted for planted in status["planted"])


def test_a_hosts_gc_cannot_break_the_session(session: Engine) -> None:
    repo = session.root / "repo"
    git("update-ref", "-d", f"refs/heads/clauderon/{session.name('a')}", cwd=repo)
    git("gc", "--prune=now", "--quiet", cwd=repo)
    session.inside("a", "git fsck --connectivity-only && git log -1 --format=%s | grep -q Begin")
