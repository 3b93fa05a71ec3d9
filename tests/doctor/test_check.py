"""A finding of the doctor, as words."""

from __future__ import annotations

from clauderon.doctor.check import size_text


def test_sizes_are_for_people() -> None:
    assert [size_text(n) for n in (0, 1023, 1024, 1536, 5 * 1024**3, 2**50)] == [
        "0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 GiB", "1024.0 TiB",
    ]  # fmt: skip
