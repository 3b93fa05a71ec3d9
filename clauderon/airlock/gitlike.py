"""What makes git take a directory for a repository of its own, on whatever file system a tree is checked out.

Judges names; reads no disk, starts no process. Where two file systems differ, the answer is the wary one's.
"""

from __future__ import annotations

from collections.abc import Iterable

from clauderon.visible import is_hidden

# Names that are no part of a repository in any spelling: of visible ASCII without a backslash, and with another first
# letter than `.git`, `git~1`, `HEAD`, `objects`, `refs` and `commondir` have. Most are, and this is asked of each.
_BEGIN = frozenset(".gGhHoOrRcC")


def is_ordinary(name: str) -> bool:
    """Whether a name can be passed over: neither `is_dotgit` nor `is_part` takes it."""
    return name[0] not in _BEGIN and "\\" not in name and name.isascii() and name.isprintable()


def folded(name: str) -> str:
    """`name` as the most lenient file system takes it: no letter case, no code points that HFS+ ignores, and of
    NTFS no stream (`.git::$INDEX_ALLOCATION`) and no dots or spaces at the end."""
    if not (name.isascii() and name.isprintable()):
        name = "".join(char for char in name if not is_hidden(char))
    plain = name.casefold()
    return plain.partition(":")[0].rstrip(" .") or plain


def is_dotgit(name: str) -> bool:
    """Whether some file system would take `name` for `.git`, or lead into it (a backslash parts names on NTFS)."""
    return any(folded(part) in (".git", "git~1") for part in name.split("\\"))


def is_dotgitmodules(name: str) -> bool:
    """Whether some file system takes this name for `.gitmodules` (git's own list of short names)."""
    return folded(name) in (".gitmodules", "gitmod~1", "gi7eba~1")


_PARTS = frozenset({"head", "objects", "refs", "commondir"})


def is_part(name: str) -> bool:
    """Whether a repository could need an entry of this name to be one."""
    return folded(name) in _PARTS


def makes_repository(entries: Iterable[tuple[str, bool]]) -> bool:
    """Whether git, run in a directory with these entries (name, is a directory), finds a repository there.

    git's rule (`is_git_directory`): HEAD can be read, and `objects` and `refs` can be entered or executed: a
    directory, a link to one (`.` will do), an executable file, a submodule's empty place. Or `commondir` says
    where those are. What HEAD says is not asked here: a directory with these names has no other use.
    """
    found = {(folded(name), is_directory) for name, is_directory in entries}
    names = {name for name, _ in found}
    if ("head", False) not in found:
        return False
    return ("commondir", False) in found or {"objects", "refs"} <= names
