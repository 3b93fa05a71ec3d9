"""Names in a configuration are quoted as git reads them."""

from __future__ import annotations

import os
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from clauderon.git.quiet import quiet_config
from clauderon.git.settings import parse_settings


@given(st.lists(st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]), min_size=1)))
def test_every_name_is_quoted_as_git_reads_it(names: list[str]) -> None:
    listed = "".join(f"filter.{name}.clean\nfalse\0" for name in names).encode()
    text = quiet_config(parse_settings(listed))
    done = subprocess.run(
        ["git", "config", "--file", "-", "--list", "-z"],
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read = parse_settings(done.stdout)
    assert set(read.filters) == set(names)
    assert {value for key, value in read.drivers if key.startswith("filter.")} <= {""}
    assert os.fsencode(text)
