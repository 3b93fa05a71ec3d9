"""What models were asked since the worker began, by model: for the metrics, which want sums that only grow. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clauderon import visible
from clauderon.usage_journal import COUNTED

# The names come from answers, which may say anything: beyond this many they are counted together.
_MOST_MODELS = 200
_LONGEST = 100
OTHERS = "others"


class Totals:
    """By API and model, whose name is safe to show. On the event loop."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], dict[str, int]] = {}

    def add(self, record: Mapping[str, object]) -> None:
        """Count one answer, as the journal has it."""
        api, model = str(record["api"]), visible.line(str(record["model"]))[:_LONGEST] or "unknown"
        if (api, model) not in self._sums and len(self._sums) >= _MOST_MODELS:
            model = OTHERS
        sums = self._sums.setdefault((api, model), dict.fromkeys(COUNTED, 0))
        for name in COUNTED:
            value = record.get(name, 0)
            sums[name] += value if isinstance(value, int) else 0

    def __iter__(self) -> Iterator[tuple[str, str, Mapping[str, int]]]:
        """API, model and sums of each, in the order of their names."""
        for (api, model), sums in sorted(self._sums.items()):
            yield api, model, sums
