"""A `proxied` session is alone on its network: what its resolver knows, where it comes in, and who takes it away."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import sqlite3
import struct
from pathlib import Path

import pytest

from tests.standins.engine import Engine

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.uname().sysname != "Linux", reason="reads /proc/net/tcp"),
]

# Asks the engine's own resolver for each name, A and PTR, by UDP and by TCP; prints how many answers came.
_ASK = """
import concurrent.futures, socket, struct, sys
def ask(name, kind, tcp):
    words = b"".join(bytes([len(w)]) + w.encode() for w in name.split("."))
    query = struct.pack("!HHHHHH", 7, 256, 1, 0, 0, 0) + words + b"\\0" + struct.pack("!HH", kind, 1)
    c = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM); c.settimeout(2)
    try:
        c.connect(("127.0.0.11", 53)); c.send(struct.pack("!H", len(query)) * tcp + query)
        return struct.unpack("!H", c.recv(512)[6 + 2 * tcp:8 + 2 * tcp])[0]
    except (OSError, struct.error):
        return 0
def both(name):
    kind = 12 if name.endswith(".arpa") else 1
    return f"{name} {ask(name, kind, False) + ask(name, kind, True)}"
with concurrent.futures.ThreadPoolExecutor(16) as pool:
    print(*pool.map(both, sys.argv[1:]), sep="\\n")
"""


def _two(engine: Engine) -> None:
    engine.configure(
        '[general]\ndefault_agent = "idle"\n[agents.idle]\ncommand = ["sh", "-c", "exec sleep 3600"]\n'
    )
    engine.repo()
    for word in ("one", "two"):
        engine.create(word, "--network", "proxied")


def _networks(engine: Engine) -> list[str]:
    label = f"label=clauderon.home={engine.home.root}"
    return engine.docker("network", "ls", "--filter", label, "--format", "{{.Name}}").split()


def _place(engine: Engine, word: str) -> tuple[str, str, str]:
    """The network of a session's container, its address there, and the gateway."""
    networks = engine.inspect(word)["NetworkSettings"]["Networks"]
    ((name, found),) = networks.items()
    (pool,) = json.loads(engine.docker("network", "inspect", name))[0]["IPAM"]["Config"]
    return name, found["IPAddress"], str(ipaddress.ip_network(pool["Subnet"])[1])


def test_the_resolver_of_a_proxied_session_knows_no_other(engine: Engine) -> None:
    """Seen to fail with both sessions on one network: name, short id and address of the other were answered."""
    _two(engine)
    other = engine.inspect("two")
    network, address, _ = _place(engine, "two")
    reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
    name, short = engine.container("two"), other["Id"][:12]
    hostname = other["Config"]["Hostname"]
    asked = [name, name.upper(), f"{name}.{network}", short, hostname, engine.name("two"), reverse]
    assert engine.inside("one", f"timeout 5 getent hosts {name} || echo none") == "none"
    answers = engine.inside("one", f"python3 - {' '.join(asked)} <<'P'\n{_ASK}P").splitlines()
    assert answers == [f"{one} 0" for one in asked]
    # That the question is one that is answered: its own name.
    own = engine.container("one")
    assert engine.inside("one", f"python3 - {own} <<'P'\n{_ASK}P") == f"{own} 2"


def test_a_session_comes_in_at_its_own_gateway_alone(engine: Engine) -> None:
    _two(engine)
    (one, _, gateway), (two, _, other) = _place(engine, "one"), _place(engine, "two")
    assert one != two and gateway != other
    rows = {row["name"]: row for row in engine.cli.ok("list", "--json").json["data"]}
    ports = {word: rows[engine.name(word)]["port"] for word in ("one", "two")}
    listening = _listening()
    assert (gateway, ports["one"]) in listening and (other, ports["two"]) in listening
    assert {port for address, port in listening if address == gateway} == {ports["one"]}
    ask = "curl -sS -m 10 -o /dev/null -w '%{http_code}' http://127.0.0.1/ --noproxy '' -x"
    assert engine.inside("one", f"{ask} $http_proxy || :") in ("403", "502")
    for target in (f"{gateway}:{ports['two']}", f"{other}:{ports['two']}", f"{gateway}:{engine.proxy_port}"):
        assert engine.inside("one", f"{ask} http://{target} 2>/dev/null || :") in ("000", "403"), target


def test_the_network_goes_with_its_session(engine: Engine) -> None:
    _two(engine)
    assert len(_networks(engine)) == 2
    engine.cli.ok("delete", "--force", engine.name("one"))
    assert _networks(engine) == [_place(engine, "two")[0]]
    # From the labels alone.
    engine.home.database.unlink()
    engine.cli.ok("reconcile")
    assert len(_networks(engine)) == 1
    engine.cli.ok("delete", "--force", engine.name("two"))
    assert _networks(engine) == []


def test_without_row_or_container_the_network_is_taken_away(engine: Engine) -> None:
    _two(engine)
    engine.docker("rm", "-f", engine.container("one"), engine.container("two"))
    engine.home.database.unlink()
    assert "network" in engine.cli.ok("reconcile").text
    assert _networks(engine) == []


def test_a_network_that_the_engine_lost_is_made_anew(engine: Engine) -> None:
    """From the database alone; with the container still there, and without."""
    _two(engine)
    for word, command in (("one", "rm"), ("two", "stop")):
        name, address, _ = _place(engine, word)
        engine.docker(*(("rm", "-f") if command == "rm" else ("stop", "-t", "0")), engine.container(word))
        engine.docker("network", "rm", name)
        engine.cli.ok("start", engine.name(word))
        assert _place(engine, word)[:2] == (name, address)
    engine.cli.ok("delete", "--force", engine.name("one"))
    engine.docker("rm", "-f", engine.container("two"))
    engine.docker("network", "rm", _networks(engine)[0])
    engine.cli.ok("delete", "--force", engine.name("two"))


def test_a_create_that_fails_leaves_no_network(engine: Engine) -> None:
    engine.configure('[agents.idle]\ncommand = ["sh", "-c", "exec sleep 3600"]\n')
    engine.repo()
    engine.docker("create", "--name", engine.container("taken"), "--label", f"clauderon.home={engine.home.root}",
                  "clauderon-test:debian", "true")  # fmt: skip
    answer = engine.cli(
        "create", "--repo", "repo", "--prompt", "x", "--name", engine.name("taken"), "--network", "proxied",
        "--agent", "idle",
    )  # fmt: skip
    assert answer.status and "in use" in answer.error, answer
    assert _networks(engine) == []


def test_a_session_on_the_former_shared_network_goes_on_and_a_refresh_moves_it(engine: Engine) -> None:
    """Made as earlier versions did: the container and the row's address on the internal network of all."""
    _two(engine)
    shared = f"{engine.network}-proxied"
    own, _, _ = _place(engine, "one")
    engine.docker("network", "create", "--internal", "--subnet", "198.19.255.240/28",
                  "--label", "clauderon.network=1", "--label", f"clauderon.home={engine.home.root}", shared)  # fmt: skip
    engine.docker("network", "disconnect", "-f", own, engine.container("one"))
    engine.docker("network", "connect", "--ip", "198.19.255.244", shared, engine.container("one"))
    engine.docker("network", "rm", own)
    store = sqlite3.connect(engine.home.database)
    with contextlib.closing(store), store:
        address = "json_set(record, '$.ip', '198.19.255.244')"
        store.execute(f"UPDATE session SET record = {address} WHERE name = ?", (engine.name("one"),))
        store.execute("DELETE FROM fact WHERE key = ?", (f"network:{own}",))
        fact = {"subnet": "198.19.255.240/28", "gateway": "198.19.255.241", "native": True}
        store.execute("INSERT INTO fact VALUES (?, ?)", (f"network:{shared}", json.dumps(fact)))
    engine.cli.ok("stop", engine.name("one"))
    engine.cli.ok("start", engine.name("one"))
    assert _place(engine, "one")[:2] == (shared, "198.19.255.244")
    port = engine.inside("one", "echo ${http_proxy##*:}")
    ask = "curl -sS -m 10 -o /dev/null -w '%{http_code}' http://127.0.0.1/ --noproxy '' -x"
    assert engine.inside("one", f"{ask} http://198.19.255.241:{port} || :") in ("403", "502")
    engine.cli.ok("refresh", "--pull-policy", "never", engine.name("one"))
    assert _place(engine, "one")[0] == own
    assert engine.inside("one", f"{ask} $http_proxy || :") in ("403", "502")
    assert shared in engine.cli.ok("reconcile").text
    assert shared not in engine.docker("network", "ls", "--format", "{{.Name}}").split()


def test_a_subnet_that_is_taken_is_passed_over(engine: Engine) -> None:
    _two(engine)
    name, _, _ = _place(engine, "one")
    (pool,) = json.loads(engine.docker("network", "inspect", name))[0]["IPAM"]["Config"]
    engine.cli.ok("delete", "--force", engine.name("one"))
    squatter = f"{engine.network}-squatter"
    engine.docker("network", "create", "--subnet", pool["Subnet"], squatter)
    engine.undo(lambda: engine.docker("network", "rm", squatter, check=False))
    engine.create("one", "--network", "proxied")
    (after,) = json.loads(engine.docker("network", "inspect", _place(engine, "one")[0]))[0]["IPAM"]["Config"]
    assert after["Subnet"] != pool["Subnet"]


def _listening() -> set[tuple[str, int]]:
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        if state == "0A":
            host, port = local.split(":")
            found.add((socket.inet_ntoa(struct.pack("=I", int(host, 16))), int(port, 16)))
    return found
