"""The first create on an engine: killed at any of its calls, and met by what an earlier kill left there."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from clauderon.store import Store
from tests.live.test_kill import MOST_CALLS, Struck
from tests.standins.engine import BUSYBOX, Engine
from tests.standins.faults import When

pytestmark = pytest.mark.live


@pytest.fixture
def cold(engine: Engine) -> Iterator[Engine]:
    engine.scripted(image=BUSYBOX)
    engine.repo()
    yield engine


def network(engine: Engine, name: str) -> dict[str, object]:
    [found] = json.loads(engine.docker("network", "inspect", name))
    return dict(found)


def test_a_network_that_was_half_made_is_made_to_its_end(cold: Engine) -> None:
    """Seen to fail without `resources.complete`: every create on that engine ended with status 4. And where the one
    before it was remembered: without a session, `reconcile` removed the network. Found by scripts/crash (`create-cold`)."""
    cold.docker("network", "create", "--label", "clauderon.network=1", cold.network)
    before = network(cold, cold.network)
    cold.create("n")
    after = network(cold, cold.network)
    assert before["Id"] != after["Id"] and cold.inside("n", "echo here") == "here"
    cold.cli.ok("delete", "--force", cold.name("n"))
    assert "network" not in cold.cli.ok("reconcile").text
    cold.create("m")
    assert network(cold, cold.network)["Id"] == after["Id"]


def test_a_network_whose_maker_was_killed_before_it_said_so_is_kept(cold: Engine) -> None:
    """Seen to fail without `resources.proven`: every reconcile removed it, and the next create made it anew."""
    cold.create("n")
    before = network(cold, cold.network)
    with Store.open(cold.home) as store:
        store.keep_fact(f"complete:{cold.network}", None)
    cold.create("m")
    cold.cli.ok("delete", "--force", cold.name("n"), cold.name("m"))
    assert "network" not in cold.cli.ok("reconcile").text
    assert network(cold, cold.network)["Id"] == before["Id"]


def test_reconcile_and_doctor_see_it(cold: Engine) -> None:
    cold.docker("network", "create", "--label", "clauderon.network=1", cold.network)
    (cold.home.root / "locks").mkdir(parents=True, exist_ok=True)
    (cold.home.root / "locks" / "0123456789ab.lock").touch()
    assert f"network {cold.network} to be removed" in cold.cli("doctor").text
    said = cold.cli.ok("reconcile")
    assert cold.network in said.text + said.error and "0123456789ab" in said.text + said.error
    assert cold.docker("network", "ls", "--filter", f"name=^{cold.network}$", "--quiet") == ""
    assert list((cold.home.root / "locks").glob("*[0-9a-f].lock")) == []


def test_a_network_of_somebody_elses_is_left_alone(cold: Engine) -> None:
    cold.docker("network", "create", f"{cold.network}-proxied")
    cold.create("p", "--network", "proxied")
    cold.cli.ok("delete", "--force", cold.name("p"))
    cold.cli.ok("reconcile")
    cold.docker("network", "rm", f"{cold.network}-proxied")


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_first_create_killed_at_any_call_blocks_nothing(engine: Engine, when: When) -> None:
    """Ends with status 4 between the two `network create` without `resources.complete`."""
    struck = Struck(engine)
    for at in range(1, MOST_CALLS):
        engine.docker("network", "rm", engine.network, check=False)
        for fact in ("database",):
            getattr(engine.home, fact).unlink(missing_ok=True)
        struck.run(*struck.create("k"), at=at, when=when)
        if struck.faults.struck is None:
            break
        where = f"killed {when} call {at}: {struck.faults.struck}"
        # Whatever was left: another session is made at once, and no helper outlives it.
        again = engine.cli(*struck.create("other"))
        assert again.status == 0, f"{where}: {again!r}"
        assert engine.docker("ps", "-aq", "--filter", "label=clauderon.probe", "--filter",
                             f"label=clauderon.home={engine.home.root}") == "", where  # fmt: skip
        for word in ("other", "k"):
            engine.cli("delete", engine.name(word), "--force")
        engine.cli.ok("reconcile")
    else:
        raise AssertionError("create makes no end of calls")
