"""A record of the audit as one line of JSON, whatever is in it."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import example, given, strategies

from clauderon.proxy.audit.line import LONGEST
from clauderon.proxy.audit.log import AuditLog
from tests.proxy.audit.records import record


@given(strategies.text(), strategies.text(), strategies.text())
@example("a" * LONGEST, "\u0331" * LONGEST, "x" + "\U0001f600" * LONGEST)
def test_any_text_makes_one_line_of_json(host: str, path: str, rule: str) -> None:
    """Whole, or its beginning where it is longer than a line has room for."""
    line = AuditLog(Path("unused"), max_bytes=1, keep=1)._line(record(host=host, path=path, rule=rule))
    assert line.count("\n") == 1
    assert len(line) <= 4096
    found = json.loads(line)
    for name, text in (("host", host), ("path", path), ("rule", rule)):
        if len(json.dumps(text)) <= LONGEST:
            assert found[name] == text
        else:
            assert found[name] and text.startswith(found[name])
