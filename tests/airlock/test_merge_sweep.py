"""`merge` with every setting of git's that names a program naming one of the tree's: none of them runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from clauderon.errors import ClauderonError
from tests.airlock.test_programs import diverge
from tests.airlock.world import World

SETTINGS = [
    "core.fsmonitor", "core.editor", "sequence.editor", "core.pager", "pager.diff", "pager.log", "core.sshCommand",
    "core.askPass", "core.gitProxy", "core.alternateRefsCommand", "diff.external", "interactive.diffFilter",
    "diff.x.command", "diff.x.textconv", "merge.x.driver", "filter.x.clean", "filter.x.smudge", "filter.x.process",
    "filter.lfs.process", "gpg.program", "gpg.openpgp.program", "gpg.ssh.program", "gpg.x509.program",
    "gpg.ssh.defaultKeyCommand", "credential.helper", "uploadpack.packObjectsHook", "trailer.x.command", "trailer.x.cmd",
    "mergetool.x.cmd", "difftool.x.cmd", "browser.x.cmd", "man.x.cmd", "tar.x.command", "sendemail.smtpServer",
    "remote.origin.uploadpack", "remote.origin.vcs", "submodule.sub.update", "alias.commit-tree", "alias.checkout",
    "alias.read-tree", "alias.merge-tree", "alias.update-ref", "guitool.x.cmd", "instaweb.httpd", "hook.x.command",
]  # fmt: skip
SWITCHES = {
    "commit.gpgSign": "true", "merge.verifySignatures": "true", "log.showSignature": "true", "submodule.recurse": "true",
    "merge.default": "x", "core.hooksPath": "hooks", "gc.auto": "1", "gc.autoDetach": "false", "user.signingKey": "x",
    "trailer.x.key": "Signed-x", "merge.tool": "x", "merge.guitool": "x", "core.untrackedCache": "true",
    "hook.x.event": "post-checkout", "maintenance.auto": "true", "merge.stat": "true", "merge.renormalize": "true",
    "rebase.autoStash": "true", "merge.autoStash": "true", "pull.rebase": "interactive", "extensions.partialClone": "origin",
}  # fmt: skip
HOOKS = [
    "reference-transaction", "post-merge", "post-checkout", "pre-merge-commit", "commit-msg", "post-index-change",
    "pre-auto-gc", "post-commit", "prepare-commit-msg", "pre-commit", "fsmonitor-watchman", "query-watchman",
    "post-rewrite", "pre-rebase", "update", "post-update", "proc-receive", "pre-receive", "post-receive",
]  # fmt: skip


def lay(world: World, program: str, place: Path) -> None:
    for name in (*(f"hooks/{hook}" for hook in HOOKS), "run.sh"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(program)
        (place / name).chmod(0o755)
    (place / ".gitattributes").write_text("z.dat diff=x text=auto\n*.md diff=x\n")


@pytest.mark.parametrize("how", ["forward", "diverged", "squash", "conflict"])
def test_no_program_that_a_setting_names_runs(world: World, tmp_path: Path, how: str) -> None:
    """Seen to run the branch's program without `core.fsmonitor=false` in `checkout`, and a hook without `core.hooksPath`."""
    ran, theirs = tmp_path / "ran", tmp_path / "theirs"
    program = "#!/bin/sh\necho \"$0 $*\" >> 'WHERE'\nexit 1\n"
    if how in ("diverged", "squash"):
        diverge(world)
    lay(world, program.replace("WHERE", str(ran)), world.repo)
    world.host("add", "--all")
    world.host("commit", "--quiet", "--message", "Programs")
    world.inside("fetch", "--quiet", str(world.repo), "main")
    world.inside("merge", "--quiet", "--no-edit", "FETCH_HEAD")
    lay(world, program.replace("WHERE", str(theirs)), world.worktree)
    world.commit("z.dat", "theirs\n")
    world.sync()
    if how in ("conflict", "diverged"):
        (world.repo / ("z.dat" if how == "conflict" else "own")).write_text("ours\n")
        world.host("add", "--all")
        world.host("commit", "--quiet", "--message", "Ours")
    for key in SETTINGS:
        prefix = "!" if key.startswith(("alias.", "submodule.")) else ""
        world.host("config", key, f"{prefix}{world.repo}/run.sh")
    for key, value in SWITCHES.items():
        world.host("config", key, value)
    if how == "forward":
        assert world.merge().changed
    else:
        with pytest.raises(ClauderonError):  # what signs fails, and a merge driver is stopped
            world.merge(squash=how == "squash")
    assert not theirs.exists(), theirs.read_text()
    # What signs is the person's own, as they have it checked out, before the branch's files come.
    assert not ran.exists() or all(" -bsau " in line for line in ran.read_text().splitlines())
