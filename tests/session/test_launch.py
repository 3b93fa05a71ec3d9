"""From a row to its container: what is mounted, what is asked of an engine that refuses, and what is left after that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from clauderon import paths, spec
from clauderon.agents.image import ImageFacts
from clauderon.errors import ClauderonError, CommandFailed
from clauderon.paths import Home
from clauderon.proxy import service
from clauderon.record import Session
from clauderon.session import launch, resources
from clauderon.session.context import Context
from clauderon.session.resources import Gateway
from clauderon.spec import ContainerSpec
from tests.session.stand_ins import Engine, Said, detail
from tests.standins.sessions import a_row, a_session

GATEWAY = Gateway("clauderon", "10.1.0.0/24", "10.1.0.1", native=True, network_id="n1")
TAKEN = "Error response from daemon: Address already in use."
CPUS = "Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available."
RLIMIT = "OCI runtime create failed: error setting rlimits for ready process: error setting rlimit type 7"
QUOTA = "Error response from daemon: --storage-opt is supported only for overlay over xfs with 'pquota' mount option."
HALF_MADE = "Error response from daemon: user specified IP address is supported only when connecting to networks with user configured subnets."


class Runs:
    """A `docker run` that fails with these words, one after the other, and then works."""

    def __init__(self, engine: Engine, *failures: str) -> None:
        self.asked: list[ContainerSpec] = []
        self._failures = list(failures)
        engine.verbs["container_run"] = engine.verbs["container_create"] = self._run

    def _run(self, container: ContainerSpec) -> None:
        self.asked.append(container)
        if self._failures:
            raise CommandFailed(("docker", "run"), 125, b"", self._failures.pop(0).encode())


@pytest.fixture
def session(home: Home, context: Context) -> Session:
    return context.store.update(a_session(home, "fix", "0123456789ab").id, ip="10.1.0.9")


@pytest.fixture(autouse=True)
def reloads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    told: list[int] = []
    monkeypatch.setattr(service, "reload", lambda *_: told.append(1))
    return told


def describe(row: Session) -> ContainerSpec:
    return ContainerSpec(
        f"clauderon-{row.name}", "x", ("start",), ip=row.ip, cpus="8", ulimits={"nofile": 5}, disk=1 << 30
    )


def run(
    context: Context, session: Session, describe: Callable[[Session], ContainerSpec] = describe
) -> Session:
    return launch.run(context, session, GATEWAY, describe)


def test_what_works_at_once_is_asked_for_once(context: Context, engine: Engine, session: Session) -> None:
    runs = Runs(engine)
    assert run(context, session) == session
    assert [one.cpus for one in runs.asked] == ["8"]
    assert context.store.fact("complete:clauderon") == "n1"


@pytest.mark.parametrize(
    ("failure", "field", "instead", "word"),
    [
        (CPUS, "cpus", "2.00", "2.00 CPUs"),
        (RLIMIT, "ulimits", {}, "nofile 5"),
        (QUOTA, "disk", 0, "[limits] disk"),
    ],
)
def test_a_limit_that_the_engine_cannot_hold_is_left_out_aloud(
    context: Context,
    engine: Engine,
    said: Said,
    session: Session,
    failure: str,
    field: str,
    instead: object,
    word: str,
) -> None:
    runs = Runs(engine, failure)
    run(context, session)
    assert getattr(runs.asked[1], field) == instead
    (warning,) = said.warnings
    assert word in warning


def test_several_limits_are_left_out_one_after_the_other(
    context: Context, engine: Engine, session: Session
) -> None:
    runs = Runs(engine, CPUS, QUOTA, RLIMIT)
    run(context, session)
    assert (runs.asked[3].cpus, runs.asked[3].disk, runs.asked[3].ulimits) == ("2.00", 0, {})


def test_the_same_limit_is_refused_again_only_once(
    context: Context, engine: Engine, session: Session
) -> None:
    """Seen to be asked for without end where nothing remembers what was left out."""
    runs = Runs(engine, *[QUOTA] * 5)
    with pytest.raises(ClauderonError):
        run(context, session)
    assert len(runs.asked) == 2


def test_another_address_is_tried_where_one_is_taken_and_the_proxy_is_told(
    context: Context, engine: Engine, session: Session, reloads: list[int]
) -> None:
    runs = Runs(engine, TAKEN, TAKEN)
    row = run(context, session)
    assert len({one.ip for one in runs.asked}) == 3
    assert row.ip == runs.asked[-1].ip == context.store.named("fix").ip
    assert reloads == [1, 1]


def test_addresses_are_not_tried_for_ever(context: Context, engine: Engine, session: Session) -> None:
    runs = Runs(engine, *[TAKEN] * 99)
    with pytest.raises(ClauderonError):
        run(context, session)
    assert len(runs.asked) == launch.ADDRESS_ATTEMPTS + 1


def test_a_half_made_network_is_completed_once(
    context: Context, engine: Engine, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    completed: list[str] = []

    def complete(_context: Context, gateway: Gateway) -> Gateway:
        completed.append(gateway.network)
        return gateway

    monkeypatch.setattr(resources, "complete", complete)
    Runs(engine, HALF_MADE)
    run(context, session)
    with pytest.raises(ClauderonError):
        Runs(engine, HALF_MADE, HALF_MADE)
        run(context, session)
    assert completed == ["clauderon", "clauderon"]


@pytest.mark.parametrize(("id_", "removed"), [("0123456789ab", True), ("another", False)])
def test_only_a_container_of_this_session_is_removed_after_a_failure(
    context: Context, engine: Engine, session: Session, id_: str, removed: bool
) -> None:
    """The name may be that of somebody else's container. Seen to be removed without the look at its label."""
    engine.containers["clauderon-fix"] = detail(labels={spec.LABEL_ID: id_})
    Runs(engine, "Error response from daemon: something else")
    with pytest.raises(ClauderonError):
        run(context, session)
    assert (("container_remove", ("c" * 64,)) in engine.called) is removed


def test_the_worktree_is_mounted_with_our_own_paths_below_it(home: Home) -> None:
    home.worktree("one").mkdir(parents=True)
    mounts = {mount.target: mount for mount in launch.workspace_mounts(home, a_row(), None)}
    assert mounts["/workspace"].source == str(home.worktree("one")) and not mounts["/workspace"].read_only
    assert mounts["/workspace/.clauderon/hooks"].read_only
    assert mounts["/workspace/.claude.json"].read_only
    # git status stays clean, and docker finds every mount point made.
    assert (home.worktree("one") / ".clauderon/.gitignore").read_bytes() == b"*\n"
    below = [target.removeprefix("/workspace/") for target in mounts if target != "/workspace"]
    assert all((home.worktree("one") / place).exists() for place in below)


def test_files_of_the_repositorys_own_stay_and_are_said(home: Home) -> None:
    home.worktree("one").mkdir(parents=True)
    (home.worktree("one") / ".claude.json").write_text("{}")
    row = a_row().changed(tracks=(".claude.json", ".clauderon", ".clauderon/hooks"))
    targets = [mount.target for mount in launch.workspace_mounts(home, row, None)]
    assert "/workspace/.claude.json" not in targets and paths.CONTAINER_HOOKS in targets
    assert not (home.worktree("one") / ".clauderon/.gitignore").exists()
    assert len(launch.own_paths(row)) == 2 and launch.own_paths(a_row()) == []


def test_a_link_that_a_container_put_in_the_way_is_not_followed(home: Home, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    home.worktree("one").mkdir(parents=True)
    (home.worktree("one") / ".clauderon").symlink_to(outside)
    with contextlib.suppress(ClauderonError, OSError):
        launch.workspace_mounts(home, a_row(), None)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("uid", "user", "owner"),
    [(0, "1000:1000", (1000, 1000)), (0, "0:0", None), (1000, "1000:1000", None), (1000, "2000:2000", None)],
)
def test_files_are_given_away_by_root_alone(
    monkeypatch: pytest.MonkeyPatch, uid: int, user: str, owner: tuple[int, int] | None
) -> None:
    monkeypatch.setattr("clauderon.session.launch.os.getuid", lambda: uid)
    facts = ImageFacts(arch="x64", uid=0, gid=0)
    assert launch.owner_of(a_row().changed(user=user), facts) == owner
