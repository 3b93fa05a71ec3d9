"""What a person should know of a repository before a session works on it, in sentences; and what cannot carry one.

Words only, from facts read elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from clauderon.errors import UsageError
from clauderon.git.settings import NOBODY, Settings


def notes(settings: Settings, *, lfs: bool, submodules: bool, env: Mapping[str, str]) -> Iterator[str]:
    """Sentences about a repository. env: git's, which may name a person that the configuration does not."""
    if lfs:
        yield "Git LFS files are pointers in the session; `git lfs pull` inside fetches them."
    if submodules:
        yield "Submodules are empty in the session; `git submodule update --init` inside fetches them."
    if not (settings.user_name and settings.user_email) and "GIT_AUTHOR_EMAIL" not in env:
        yield f"git user.name and user.email are not set; the session commits as {NOBODY[0]} <{NOBODY[1]}>."
    if settings.promisor:
        yield (
            f"This is a partial clone: objects it lacks come from {settings.promisor}, "
            "from inside through the proxy."
        )
    filters = [name for name in settings.filters if name != "lfs"]
    if filters and not settings.worktree_config:
        yield (
            f"Your git configuration has filters ({', '.join(filters)}): run no git command by hand "
            "in the session's worktree, where the agent chooses what they find; "
            "git config extensions.worktreeConfig true shuts that."
        )
    if settings.hooks_path and not settings.hooks_path.startswith(("/", "~")):
        yield (
            f"core.hooksPath is {settings.hooks_path}, inside the tree the agent writes: "
            "run no git command by hand in the session's worktree."
        )


def refuse_linked_packs(objects: tuple[Path, ...]) -> None:
    """Raise UsageError for object directories whose packs lie elsewhere."""
    for directory in objects:
        if (directory / "pack").is_symlink():
            raise UsageError(
                f"repository {directory.parent}",
                f"{directory}/pack is a link, which leads nowhere in a container",
                hint=f"echo '{(directory / 'pack').resolve().parent}' >> '{directory}/info/alternates'",
            )
