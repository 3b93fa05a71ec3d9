"""Names for what a rescue keeps: refs below `refs/clauderon/rescue/`, never one that is there already.

Writes refs of ours only; the commits are in the repository by then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from clauderon.airlock.layout import rescue_ref
from clauderon.airlock.refs import Change, update_refs
from clauderon.errors import Conflict
from clauderon.git.call import Git

_ATTEMPTS = 20
_LABEL_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")
_LABEL_LENGTH = 180


class Kept(str):
    """The name of a ref, or of a directory, that holds work of a deleted session.

    earlier: it was there before, made for an earlier session of that name, and holds the very same.
    """

    __slots__ = ("earlier",)

    def __new__(cls, name: str, earlier: bool = False) -> Kept:
        kept = super().__new__(cls, name)
        kept.earlier = earlier
        return kept

    earlier: bool


def read_lines(path: Path) -> list[str]:
    """The lines of a note of ours; none if there is no such note."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a note of ours, whole or not at all."""
    partial = path.with_name(path.name + ".tmp")
    partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    partial.replace(path)


def labelled(wanted: Mapping[str, str]) -> dict[str, str]:
    """The same commits by labels that can be part of a ref name, also beside each other. "" is the session's own."""
    found: dict[str, str] = {}
    for number, (label, oid) in enumerate(sorted(wanted.items())):
        plain = "".join(char if char in _LABEL_CHARS else "_" for char in label)
        clash = plain in found or any(
            name and (name.startswith(f"{plain}/") or plain.startswith(f"{name}/")) for name in found
        )
        found[f"more/{number}" if label and (clash or len(plain) > _LABEL_LENGTH) else plain] = oid
    return found


def record(
    common_dir: Path,
    name: str,
    kept: Mapping[str, str],
    environ: Mapping[str, str],
    same: Callable[[str, str], bool],
    ours: Collection[str] = (),
) -> tuple[tuple[Kept, ...], tuple[str, ...]]:
    """Give each commit a ref; returns the refs, and the commits that have none since an equal one is kept already.

    A set that an earlier session of the name left is not touched: the new one is numbered. One that holds the very
    same, or that a killed delete made, is found again.
    same: whether two commits hold the same, though their names differ (a snapshot made again has another date).
    ours: refs that this delete made before it was killed.
    """
    git = Git.of(common_dir, environ)
    for _ in range(_ATTEMPTS):
        present = git.refs("refs/clauderon/rescue")

        def fits(ref: str, oid: str, present: Mapping[str, str] = present) -> bool:
            there = present.get(ref)
            return there is None or there == oid or same(there, oid)

        generation = 1
        while not all(fits(_ref(name, label, generation), oid) for label, oid in kept.items()):
            generation += 1
        refs = {_ref(name, label, generation): oid for label, oid in kept.items()}
        missing: list[Change] = [(ref, oid, None) for ref, oid in refs.items() if ref not in present]
        try:
            if missing:
                update_refs(common_dir, missing, environ)
        except Conflict:
            continue  # another delete took the name meanwhile
        kept_now = tuple(Kept(ref, earlier=ref in present and ref not in ours) for ref in refs)
        return kept_now, tuple(oid for ref, oid in refs.items() if present.get(ref, oid) != oid)
    raise Conflict(f"rescue {name}", "the names below refs/clauderon/rescue keep being taken")


def _ref(name: str, label: str, generation: int) -> str:
    # `+` is in no session name, so that `fix` and what belongs to it cannot meet another session's.
    number = "" if generation == 1 else f"+{generation}"
    return rescue_ref(name) + number + (f"+{label}" if label else "")
