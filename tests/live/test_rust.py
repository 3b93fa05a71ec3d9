"""What the shared volumes are for: what one session's cargo fetched and sccache compiled, the next one has."""

from __future__ import annotations

import pytest

from tests.live.rust_engine import begin, rust, world
from tests.standins.engine import Engine
from tests.standins.rust import IMAGE, World, build, hits

__all__ = ["rust", "world"]
pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.mark.parametrize("user", ["0:0", "1000:1000"])
def test_the_next_session_has_what_the_last_one_fetched_and_compiled(
    rust: Engine, world: World, user: str
) -> None:
    rust.scripted(image=IMAGE, docker=f'user = "{user}"')
    begin(rust, "first")
    said = rust.inside("first", build())
    assert said.startswith(f"{world.mark} {world.mark}\n") and hits(said) == 0, said
    rust.cli.ok("delete", rust.name("first"), "--force")

    world.without("crates", "other")
    begin(rust, "second")
    said = rust.inside("second", build())
    assert said.startswith(f"{world.mark} {world.mark}\n"), said
    assert hits(said) >= 1, said
