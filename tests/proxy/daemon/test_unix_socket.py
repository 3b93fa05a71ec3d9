"""Unix sockets at paths of any length."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path


def test_unix_sockets_work_at_paths_of_any_length(tmp_path: Path) -> None:
    from clauderon.proxy.daemon import unix_socket

    for name in ("short", "long" * 40):
        directory = tmp_path / name
        directory.mkdir()
        path = directory / "proxy.sock"
        with contextlib.closing(unix_socket.listen(path)) as server:
            assert path.stat().st_mode & 0o777 == 0o600
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
                with unix_socket.address(path) as address:
                    client.connect(address)
                accepted, _ = server.accept()
                assert unix_socket.peer_uid(accepted.fileno()) == os.getuid()
                accepted.close()
