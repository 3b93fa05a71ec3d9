"""Which files run by themselves, by their names."""

from __future__ import annotations

from pathlib import Path

from clauderon.airlock.autorun import brings
from clauderon.airlock.autorun_rules import RULES, who_runs
from clauderon.airlock.changed import compared
from clauderon.git.environment import environment, offline
from tests.airlock.world import World


def brought(world: World) -> list[str]:
    """Paths that the session's branch brings."""
    world.sync()
    common_dir, env = Path(world.session.git_dir), offline(environment(world.environ))
    with compared(common_dir, world.session.base, world.branch, env) as changed:
        return [path for path, _ in brings(common_dir, changed, env=env)]


BY_NAME = [
    ".envrc",
    "a/.ENVRC",
    ".vscode/tasks.json",
    "web/.vscode/settings.json",
    ".idea/workspace.xml",
    "x.code-workspace",
    ".claude/settings.json",
    ".claude/hooks/x.sh",
    ".mcp.json",
    ".cursor/mcp.json",
    "CLAUDE.md",
    "sub/AGENTS.md",
    ".config/mise/conf.d/x.toml",
    "mise/config.toml",
    "src/.ycm_extra_conf.py",
    ".ruby-lsp/Gemfile",
    ".husky/pre-commit",
    ".git-hooks/pre-push",
    ".githooks/x",
    ".pre-commit-config.yaml",
    "lefthook.yml",
    "lefthook-local.toml",
    ".lefthook.json",
    "conftest.py",
    "tests/conftest.py",
    "sitecustomize.py",
    ".github/workflows/ci.yml",
    ".github/actions/x/action.yml",
    ".gitlab-ci.yml",
    ".circleci/config.yml",
    "Jenkinsfile",
    ".npmrc",
    ".yarnrc.yml",
    ".yarn/releases/yarn.cjs",
    ".cargo/config.toml",
    ".cargo/config",
    "build.rs",
    "crates/x/build.rs",
    "rust-toolchain.toml",
    ".devcontainer/x",
    ".devcontainer.json",
    ".gitmodules",
    ".gitconfig",
    "setup.py",
    ".mvn/extensions.xml",
    "gradle/wrapper/gradle-wrapper.jar",
    "GNUmakefile",
    "node_modules/.bin/x",
    ".venv/bin/python",
    "x/__pycache__/y.cpython-311.pyc",
    "evil.pth",
    ".hg/hgrc",
    ".exrc",
    ".nvim.lua",
    ".dir-locals.el",
    ".gdbinit",
    ".Rprofile",
    ".pdbrc",
    ".envrc\u200d",
    ".VSCODE/tasks.json",
    "mise.toml",
    "docker-compose.override.yml",
    ".eslintrc.js",
    "logging.py",
    "json/__init__.py",
    "random.cpython-311-x86_64-linux-gnu.so",
    "makefile",
    ".bazelrc",
    "tools/bazel",
    "x.desktop",
]


def test_what_runs_by_its_name_is_said(world: World) -> None:
    """Seen to fail without the list of names."""
    for path in BY_NAME:
        world.write(path)
    world.inside("add", "--all", "--force")
    world.commit()
    assert brought(world) == sorted(BY_NAME)


def test_a_link_in_the_place_of_such_a_directory_is_said(world: World) -> None:
    world.write("docs/tasks.json")
    (world.worktree / ".vscode").symlink_to("docs")
    world.commit("docs/x")
    assert brought(world) == [".vscode"]


ORDINARY = [
    "src/main.py",
    "README.md",
    "Makefile",
    "docs/envrc.md",
    "vscode/x",
    ".github/ISSUE_TEMPLATE.md",
    "src/logging.py",
    "test/x.py",
    "test/__init__.py",
    "package-lock.json",
    ".gitignore",
    "src/hooks/useThing.ts",
    "a.env.md",
    "mcp.py",
    "claude/x",
    "git/hooks.md",
    "src/json/__init__.py",
]


def test_ordinary_files_are_not_said(world: World) -> None:
    for path in ORDINARY:
        world.write(path)
    world.commit()
    assert brought(world) == []


def test_every_rule_matches_its_own_name() -> None:
    for _, pattern in RULES:
        path = pattern.strip("/").replace("*", "x").replace("?", "x")
        assert who_runs(path + "/x" if pattern.endswith("/") else path), pattern
