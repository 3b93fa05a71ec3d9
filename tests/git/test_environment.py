"""The environment and the settings that git is called with."""

from __future__ import annotations

from pathlib import Path

from clauderon.git.call import Git
from clauderon.git.environment import environment


def test_only_harmless_git_variables_are_passed_on() -> None:
    environ = dict.fromkeys(
        ("GIT_DIR", "GIT_CONFIG_PARAMETERS", "GIT_EXEC_PATH", "GIT_EXTERNAL_DIFF", "PATH"), "x"
    )
    environ |= {"GIT_AUTHOR_NAME": "Ada", "GIT_SSH_COMMAND": "ssh -i key", "LANGUAGE": "de", "HOME": "/h"}
    assert environment(environ) == {
        "PATH": "x",
        "HOME": "/h",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_SSH_COMMAND": "ssh -i key",
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def test_a_hardened_call_names_its_repository_and_runs_no_hook() -> None:
    argv = Git("/r/.git", {}, Path("/w")).argv("status")
    assert argv[:4] == ["git", "--no-pager", "--git-dir=/r/.git", "--work-tree=/w"]
    assert {"core.hooksPath=/dev/null", "core.fsmonitor=false"} <= set(argv)
    assert argv[-1] == "status"
