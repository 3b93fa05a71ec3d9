"""How git is called: the environment it gets and the settings that keep it from running what a tree brings along.

Builds values only; starts nothing and reads no disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

# What survives of GIT_*: who the person is and where their own configuration lives, and how their ssh is
# called (a partial clone fetches blobs during a checkout). Dates make commits repeatable in tests. Everything
# else points git at another repository, index, object store or program: a GIT_DIR left behind by a hook or
# by `git rebase --exec` would silently turn every command below to the wrong repository.
KEPT = frozenset(
    {
        "GIT_AUTHOR_DATE",
        "GIT_AUTHOR_EMAIL",
        "GIT_AUTHOR_NAME",
        "GIT_COMMITTER_DATE",
        "GIT_COMMITTER_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_SYSTEM",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
    }
)

# Settings of every call, as `-c` so that a printed command line does the same by hand.
HARDENED = (
    # Programs that git would start by itself. A hooksPath inside the tree (`.husky`) is the container's to write.
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    # An index that is one file, readable by any version of git in the container.
    *("-c", "core.splitIndex=false"),
    *("-c", "core.untrackedCache=false"),
    *("-c", "index.skipHash=false"),
    # Whether a file is changed is for git to look, whatever the user's settings spare it.
    *("-c", "core.ignoreStat=false"),
    *("-c", "core.trustctime=true"),
    *("-c", "core.checkStat=default"),
    *("-c", "sparse.expectFilesOutsideOfPatterns=false"),
    # A file that may not be there, and the order of a patch is nobody's.
    *("-c", "diff.orderFile=/dev/null"),
    # Never a step into a nested repository: its configuration may name programs.
    *("-c", "submodule.recurse=false"),
    *("-c", "status.submoduleSummary=false"),
    *("-c", "diff.ignoreSubmodules=all"),
    *("-c", "diff.submodule=short"),
    # Twenty commands at once wait for each other's lock instead of failing.
    *("-c", "core.filesRefLockTimeout=10000"),
    *("-c", "core.packedRefsTimeout=10000"),
    *("-c", "reftable.lockTimeout=10000"),
    *("-c", "advice.detachedHead=false"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
)

# The same for a call in the user's own checkout, whose settings are to hold otherwise.
OVERRIDDEN = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "submodule.recurse=false"),
)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` for a git child: without the GIT_* that redirect it, in English, never asking a question."""
    env = {key: value for key, value in environ.items() if not key.startswith("GIT_") or key in KEPT}
    env.pop("LANGUAGE", None)
    env["LC_ALL"] = "C.UTF-8"
    env["GIT_TERMINAL_PROMPT"] = "0"
    # Reading commands leave the user's index alone; commands that must write it take their lock regardless.
    env["GIT_OPTIONAL_LOCKS"] = "0"
    return env


def offline(env: Mapping[str, str]) -> dict[str, str]:
    """`env` for a call that must not reach a remote (a partial clone would fetch what is missing) nor be misled
    by replace refs."""
    return {
        **env,
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }


def untrusting(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of every git that reads the container's objects: `offline`, and no allocation over 2 GiB.

    Larger blobs are streamed (`core.bigFileThreshold`).
    """
    return {**offline(env), "GIT_ALLOC_LIMIT": "2g"}


def without_filters(
    env: Mapping[str, str], filters: Iterable[str], others: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """`env` with the named content filters switched off, whatever `.gitattributes` asks for, and `others` set.

    Through GIT_CONFIG_COUNT rather than `-c`: a filter's name may hold a `=`.
    """
    return with_settings(
        env,
        [
            *others,
            *(
                (f"filter.{name}.{key}", value)
                for name in filters
                for key, value in (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))
            ),
        ],
    )


def with_settings(env: Mapping[str, str], pairs: Collection[tuple[str, str]]) -> dict[str, str]:
    """`env` with these settings for git, above those of every file."""
    numbered = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for index, (key, value) in enumerate(pairs):
        numbered[f"GIT_CONFIG_KEY_{index}"] = key
        numbered[f"GIT_CONFIG_VALUE_{index}"] = value
    return {**env, **numbered} if pairs else dict(env)
