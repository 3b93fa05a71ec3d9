"""The container's user has a name: a line more in the image's own tables, and only where one is missing."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from clauderon.agents.account import GROUP, PASSWD, tables
from clauderon.agents.image import ImageFacts, is_older, parse_image_facts

DEBIAN = ("root:x:0:0:root:/root:/bin/bash", "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin")
GROUPS = ("root:x:0:", "daemon:x:1:", "users:x:100:")


def facts(passwd: tuple[str, ...] | None = DEBIAN, group: tuple[str, ...] | None = GROUPS) -> ImageFacts:
    return ImageFacts(passwd=passwd, group=group)


def test_a_user_the_image_lacks_gets_a_line_behind_the_images_own() -> None:
    found = tables(facts(), (1000, 1000))
    assert found[PASSWD].splitlines() == [*DEBIAN, "agent:x:1000:1000:agent:/clauderon/home:/bin/sh"]
    assert found[GROUP].splitlines() == [*GROUPS, "agent:x:1000:"]


def test_a_group_alone_may_be_missing_and_a_user_alone() -> None:
    assert set(tables(facts(), (1, 4711))) == {GROUP}
    assert set(tables(facts(), (4711, 100))) == {PASSWD}


@pytest.mark.parametrize("user", [(0, 0), (1, 100)])
def test_a_user_the_image_knows_keeps_its_files_as_they_are(user: tuple[int, int]) -> None:
    assert tables(facts(), user) == {}


def test_nothing_is_laid_over_what_nobody_knows() -> None:
    assert tables(facts(None, None), (1000, 1000)) == {}
    assert tables(facts(), None) == {}


def test_an_image_without_tables_gets_whole_ones() -> None:
    assert tables(facts((), ()), (0, 0))[PASSWD] == "root:x:0:0:root:/clauderon/home:/bin/sh\n"
    bash = ImageFacts(passwd=(), group=(), programs={"bash": "/usr/bin/bash"})
    assert tables(bash, (5, 5))[PASSWD].endswith(":/usr/bin/bash\n")


def test_a_name_that_is_taken_is_left_to_whoever_has_it() -> None:
    held = facts(("agent:x:7:7::/:/bin/sh", "agent1:x:8:8::/:/bin/sh"), ("agent:x:7:",))
    found = tables(held, (9, 9))
    assert found[PASSWD].splitlines()[-1].startswith("agent2:x:9:9:")
    assert found[GROUP].splitlines()[-1] == "agent1:x:9:"


@hypothesis.given(
    st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=("Cs", "Zl", "Zp", "Cc")))),
    st.integers(0, 2**31),
)
def test_there_is_one_line_more_and_it_is_the_users(lines: list[str], uid: int) -> None:
    found = tables(facts(tuple(lines), ()), (uid, 5)).get(PASSWD)
    has = any(line.split(":")[2:3] == [str(uid)] for line in lines)
    assert (found is None) == has
    if found is not None:
        kept, last = found.rstrip("\n").split("\n")[:-1], found.rstrip("\n").split("\n")[-1]
        assert kept == lines
        assert last.split(":")[2] == str(uid)
        assert last.split(":")[0] not in {line.partition(":")[0] for line in lines}


def test_the_probe_hands_the_tables_over_and_a_boundless_one_is_none() -> None:
    answer = "clauderon-probe=1\n" + "".join(f"passwd={line}\n" for line in (*DEBIAN, "odd=line:x"))
    assert parse_image_facts(answer).passwd == (*DEBIAN, "odd=line:x")
    assert parse_image_facts(answer).group == ()
    assert parse_image_facts(answer + "passwd=a:b\n" * 30_000).passwd is None


def test_what_an_older_version_kept_of_an_image_is_asked_again() -> None:
    kept = parse_image_facts("clauderon-probe=1\n").to_dict()
    assert not is_older(kept)
    del kept["passwd"]
    assert is_older(kept)
