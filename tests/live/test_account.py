"""The container's user has a name, whoever it is, where the image has none for it."""

from __future__ import annotations

import pytest

from tests.standins.engine import DEBIAN, Engine

pytestmark = pytest.mark.live

ASK = (
    "id -un; id -gn; whoami; git config user.name; ssh -V 2>&1 | grep -c 'No user'; "
    "perl -e '@u = getpwuid($<); print \"$u[0] $u[7]\\n\"'; "
    "echo x >>/etc/passwd || echo read-only; tail -n 1 /etc/group"
)


def test_a_user_the_image_does_not_know_has_a_name_and_a_home(engine: Engine) -> None:
    """Seen to fail without `account.tables`: whoami: cannot find name for user ID 4711."""
    engine.scripted(image=DEBIAN, docker='user = "4711:4712"')
    engine.repo()
    engine.create("named")
    answer = engine.cli("exec", engine.name("named"), "--", "sh", "-c", ASK).text.splitlines()
    assert answer == [
        *("agent", "agent", "agent", "Ada Tester", "0", "agent /clauderon/home", "read-only"),
        "agent:x:4712:",
    ]
