"""The tree of a merge, computed beside the checkout.

Writes objects, and files only into a scratch directory of ours.
"""

from __future__ import annotations

from clauderon.airlock.checkout import Checkout, few
from clauderon.errors import CommandFailed, Conflict, Refused
from clauderon.git.call import Completed

_USAGE = 129


def join(checkout: Checkout, head: str, tip: str) -> str:
    """The tree that has both sides' changes. Raises Conflict where both changed the same, Refused for a driver."""
    words = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", head, tip)
    answer = checkout.call(*words, ok=None)
    if answer.status == _USAGE:
        return _join_before_2_38(checkout, head, tip)
    tree, *names = answer.text.split("\0")
    return _judged(checkout, answer, tree, names)


def _join_before_2_38(checkout: Checkout, head: str, tip: str) -> str:
    """The same with an index and a directory of our own; attributes are then those of the branch merged into."""
    git_dir = checkout.call("rev-parse", "--absolute-git-dir").text.rstrip("\n")
    bases = checkout.call("merge-base", "--all", head, tip).text.split()
    (checkout.scratch / "tree").mkdir()
    scratch = {
        **checkout.aside(),
        "GIT_DIR": git_dir,
        "GIT_INDEX_FILE": str(checkout.scratch / "index"),
        "GIT_WORK_TREE": str(checkout.scratch / "tree"),
    }
    checkout.call("read-tree", head, more=scratch)
    answer = checkout.call("merge-recursive", *bases, "--", head, tip, ok=None, more=scratch)
    if answer.status == 0:
        return checkout.call("write-tree", more=scratch).text.strip()
    unmerged = checkout.call("ls-files", "--unmerged", "-z", more=scratch).text.split("\0")
    names = list(dict.fromkeys(line.partition("\t")[2] for line in unmerged if line))
    return _judged(checkout, answer, "", names)


def _judged(checkout: Checkout, answer: Completed, tree: str, names: list[str]) -> str:
    names = [name for name in names if name]
    stopped = checkout.programs.stopped_drivers(answer.error_text)
    if stopped:
        raise Refused(
            checkout.what,
            f"merge driver {few(stopped)} of your git configuration would run for {few(names) or 'a file'}, "
            "and could run what the branch brings",
            hint=checkout.by_hand(stopped),
        )
    if answer.status == 0:
        return tree
    if answer.status != 1:
        raise CommandFailed(answer.argv, answer.status, answer.stdout, answer.stderr)
    raise Conflict(
        checkout.what,
        f"both sides changed {few(names)}" if names else "it conflicts",
        hint=f"git -C '{checkout.top}' merge {checkout.session.branch}",
    )
