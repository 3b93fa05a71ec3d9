"""What a session's cargo is led to: what its own commit names by hash, and a verified volume has."""

from __future__ import annotations

from clauderon import paths
from clauderon.caching import crates, gitdeps, ledger, wanted
from clauderon.confined import Tree
from clauderon.paths import Home


def lend(home: Home, session_id: str, tree: Tree, *, registry: str, git: str) -> None:
    """Write links and borrowing repositories into a session's home, and take those away that lead nowhere now.

    tree: the session's home; registry, git: identities of the verified volumes, "" for none.
    """
    named = wanted.recall(home, session_id)
    known = ledger.read(home)
    for directory, targets in crates.links(named.crates, lambda sum_: known.folder(registry, sum_)).items():
        tree.links(directory, targets, below=paths.CONTAINER_CARGO_HOME)
    gitdeps.lend(tree, named.git, lambda commit: known.folder(git, commit))
