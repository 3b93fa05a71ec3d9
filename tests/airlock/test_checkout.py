"""`merge` under a person's git configuration: one verb, whatever `merge.*`, `branch.*`, `pull.*` and `commit.*` say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clauderon.airlock.checkout import Checkout
from clauderon.errors import BackendError, CommandFailed, Conflict
from tests.airlock.world import World

# For what the test itself does.
PLAIN = ("-c", "core.editor=true", "-c", "diff.orderFile=/dev/null", "-c", "core.commentChar=#")
# Each by itself, since each is another verb; and one with all that change how something looks or is said.
SETTINGS = [
    {"branch.main.mergeOptions": "--no-commit"},
    {"branch.main.mergeOptions": "--squash"},
    {"branch.main.mergeOptions": "--no-ff --no-commit"},
    {"branch.main.mergeOptions": "--ff-only"},
    {"branch.main.mergeOptions": "-s ours"},
    {"branch.main.mergeOptions": "--strategy-option=theirs"},
    {"branch.main.mergeOptions": "--signoff"},
    {"branch.main.mergeOptions": "--no-such-option"},
    {"merge.ff": "false"},
    {"merge.ff": "only"},
    {"pull.twohead": "ours"},
    {"pull.twohead": "no-such-strategy"},
    {
        "merge.ff": "true",
        "merge.log": "true",
        "merge.autoStash": "true",
        "merge.verifySignatures": "true",
        "merge.stat": "true",
        "merge.default": "text",
        "pull.rebase": "true",
        "pull.ff": "only",
        "commit.cleanup": "scissors",
        "commit.status": "false",
        "commit.template": "/nowhere",
        "commit.verbose": "2",
        "core.commentChar": "W",
        "core.editor": "false",
        "sequence.editor": "false",
        "core.fsmonitor": "false",
        "core.attributesFile": "/nowhere",
        "core.untrackedCache": "true",
        "core.splitIndex": "true",
        "checkout.workers": "4",
        "checkout.guess": "false",
        "rerere.enabled": "true",
        "diff.orderFile": "/nowhere",
        "diff.noprefix": "true",
        "diff.external": "false",
        "diff.renames": "false",
        "format.pretty": "%H",
        "log.showSignature": "true",
        "log.mailmap": "false",
        "status.showUntrackedFiles": "no",
        "color.ui": "always",
        "i18n.commitEncoding": "ISO-8859-1",
        "i18n.logOutputEncoding": "UTF-16",
        "submodule.recurse": "true",
        "gc.auto": "1",
        "advice.detachedHead": "true",
    },
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: " ".join([*settings.values()][:1]))
def test_a_setting_changes_neither_a_fast_forward_nor_a_merge_nor_a_squash(
    world: World, settings: dict[str, str]
) -> None:
    """`branch.main.mergeOptions=--no-commit` left a merge uncommitted and said that it was done; `pull.twohead=ours`
    threw the branch's changes away and said the same; each seen to fail while `git merge` was what ran."""
    for key, value in settings.items():
        world.host("config", key, value)
    tip = world.commit("one.txt", message="Wörk one")
    world.sync()
    assert world.merge().commit == tip
    two = world.commit("two.txt", message="Wörk two")
    world.sync()
    (world.repo / "ours.txt").write_text("ours\n")
    world.host("add", "ours.txt")
    world.host(*PLAIN, "commit", "--quiet", "-m", "Ours")
    before = world.host("rev-parse", "HEAD")
    world.merge()
    assert world.host("rev-parse", "HEAD^1", "HEAD^2").split() == [before, two]
    assert world.host("show", "HEAD:two.txt") == "text"
    world.commit("three.txt", message="Wörk three")
    world.commit("four.txt", message="Wörk four")
    world.sync()
    before = world.host("rev-parse", "HEAD")
    world.merge(squash=True)
    assert world.host("rev-parse", "HEAD^@") == before
    raw = world.host("cat-file", "commit", "HEAD")
    assert "\n    Wörk three" in raw
    assert "\n    Wörk four" in raw
    assert "Wörk two" not in raw
    assert "encoding" not in raw.partition("\n\n")[0]
    everything = {"one.txt", "two.txt", "three.txt", "four.txt", "ours.txt"}
    assert everything <= {path.name for path in world.repo.iterdir()}
    assert not (world.repo / ".git/MERGE_HEAD").exists()
    assert not (world.repo / ".git/SQUASH_MSG").exists()
    assert world.host("diff", "--no-ext-diff", "--name-only", "HEAD", "-O/dev/null") == ""
    assert not world.merge(squash=True).changed


def test_the_old_head_is_where_git_leaves_it(world: World) -> None:
    before = world.host("rev-parse", "HEAD")
    world.commit()
    world.sync()
    world.merge()
    assert world.host("rev-parse", "ORIG_HEAD") == before
    assert world.host("reflog", "-1", "--format=%gs") == "merge clauderon/fix: Fast-forward"
    assert world.host("rev-parse", "main@{1}") == before


def test_a_signature_is_made_where_the_person_signs(world: World, tmp_path: Path) -> None:
    program = tmp_path / "gpg"
    signature = "-----BEGIN PGP SIGNATURE-----\\nx\\n-----END PGP SIGNATURE-----"
    program.write_text(
        f"#!/bin/sh\ncat >/dev/null\nprintf '\\n[GNUPG:] SIG_CREATED \\n' >&2\nprintf '%b\\n' '{signature}'\n"
    )
    program.chmod(0o755)
    world.host("config", "commit.gpgSign", "1")
    world.host("config", "gpg.program", str(program))
    world.commit()
    world.sync()
    world.host("commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", "Meanwhile")
    world.merge()
    assert "gpgsig -----BEGIN PGP" in world.host("cat-file", "commit", "HEAD")


def test_an_edit_in_the_last_moment_is_not_undone_with_a_merge_that_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.commit("README.md", "theirs\n")
    world.commit()
    world.sync()
    call = Checkout.call

    def edited(self: Checkout, *words: str, **options: object) -> object:
        if words[:3] == ("read-tree", "-m", "-u"):
            (world.repo / "README.md").write_text("mine\n")
        return call(self, *words, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Checkout, "call", edited)
    with pytest.raises(CommandFailed):
        world.merge()
    assert (world.repo / "README.md").read_text() == "mine\n"
    assert not (world.repo / "new.txt").exists()


@pytest.mark.parametrize("path", [".env", "deep/.env", "deep"])
def test_an_ignored_file_of_the_persons_is_not_overwritten(world: World, path: str) -> None:
    """git itself takes what is ignored for worthless: a file with passwords that the branch brings too was gone."""
    (world.repo / ".git/info/exclude").write_text(".env\n/deep\n")
    world.write("deep/.env" if path == "deep" else path, "theirs\n")
    world.inside("add", "--force", "--all")
    world.inside("commit", "--quiet", "--message", "Work")
    world.sync()
    mine = world.repo / path
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine\n")
    with pytest.raises(Conflict, match=f"the branch brings {path}"):
        world.merge()
    assert mine.read_text() == "mine\n"
    mine.unlink()
    assert world.merge().changed


def test_a_person_who_commits_meanwhile_is_not_overtaken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.commit()
    world.sync()
    call = Checkout.call

    def meanwhile(self: Checkout, *words: str, **options: object) -> object:
        if words[0] == "update-ref" and "HEAD" in words:
            world.host("commit", "--quiet", "--allow-empty", "-m", "Meanwhile")
        return call(self, *words, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Checkout, "call", meanwhile)
    with pytest.raises(CommandFailed):
        world.merge()
    assert world.host("log", "-1", "--format=%s") == "Meanwhile"
    assert not (world.repo / "new.txt").exists()


def test_success_is_said_only_after_a_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that says 0 and moves nothing; seen to be called merged without the look."""
    world.commit()
    world.sync()
    call = Checkout.call

    def idle(self: Checkout, *words: str, **options: object) -> object:
        return call(self, *(("version",) if words[:2] == ("update-ref", "-m") else words), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Checkout, "call", idle)
    with pytest.raises(BackendError, match="git reported no failure, but it is not merged"):
        world.merge()


def test_a_linked_worktree_and_a_sparse_checkout_keep_their_shape(world: World) -> None:
    world.host("sparse-checkout", "set", "src")
    world.write("other/far.txt", "far\n")
    world.commit("src/near.txt")
    world.sync()
    assert world.merge().changed
    assert (world.repo / "src/near.txt").exists()
    assert not (world.repo / "other").exists()
    assert world.host("status", "--porcelain") == ""


def test_staged_work_elsewhere_stays_staged(world: World) -> None:
    world.commit()
    world.sync()
    (world.repo / "mine.txt").write_text("mine\n")
    world.host("add", "mine.txt")
    world.host("commit", "--quiet", "--allow-empty", "--only", "-m", "Meanwhile")
    assert world.merge().changed
    assert world.host("status", "--porcelain") == "A  mine.txt"
    assert "mine.txt" not in world.host("ls-tree", "--name-only", "HEAD")


@pytest.mark.parametrize(
    ("key", "value"),
    [("core.ignoreStat", "true"), ("core.trustctime", "false"), ("core.checkStat", "minimal")],
)
def test_a_setting_that_makes_git_not_look_costs_no_edit(world: World, key: str, value: str) -> None:
    world.host("config", key, value)
    world.host("reset", "--quiet", "--hard")
    world.commit("README.md", "theirs\n")
    world.sync()
    (world.repo / "README.md").write_text("mine\n")
    with pytest.raises(Conflict):
        world.merge()
    assert (world.repo / "README.md").read_text() == "mine\n"


def test_line_endings_and_strange_names_come_as_git_writes_them(world: World) -> None:
    world.host("config", "core.autocrlf", "true")
    world.commit("-n", "1\n")
    world.commit(":(glob)*", "2\n")
    world.commit(os.fsdecode(b"d\xff/\n"), "3\n")
    world.sync()
    assert world.merge().changed
    assert (world.repo / "-n").read_bytes() == b"1\r\n"
    assert (world.repo / ":(glob)*").exists()
    assert (world.repo / os.fsdecode(b"d\xff/\n")).exists()
    assert world.host("status", "--porcelain") == ""
