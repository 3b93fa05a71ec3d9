"""A branch put into a session's private directory, written whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clauderon.airlock import giving

COMMIT = b"0123456789abcdef0123456789abcdef01234567\n"


@pytest.mark.parametrize("step", ["open", "fchmod", "link"])
def test_a_branch_given_to_a_session_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Seen to fail when the ref was opened under its own name: a kill left an empty one, which no repeat got past.
    Found by scripts/crash (`rescue restore --into`).
    """

    def killed(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    top, place = tmp_path / "private", tmp_path / "private/refs"
    place.mkdir(parents=True)
    root, directory = os.open(top, os.O_RDONLY), os.open(place, os.O_RDONLY)
    try:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(
                os, "unlink", lambda *_arguments, **_named: None
            )  # which a killed process does not come to
            patch.setattr(os, step, killed)
            giving._write(root, directory, "b", COMMIT)
        assert not (place / "b").exists()
        giving._write(root, directory, "b", COMMIT)
        assert [path.read_bytes() for path in place.iterdir()] == [COMMIT]
        with pytest.raises(FileExistsError):
            giving._write(root, directory, "b", COMMIT)
        assert [path.name for path in place.iterdir()] == ["b"]
        assert list(top.iterdir()) == [place]
    finally:
        os.close(directory)
        os.close(root)
