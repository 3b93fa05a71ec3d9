"""Ways out of a container whose network is `proxied`, each tried for real against a host outside this one.

The outside is a network namespace behind a veth pair. Everything is first shown to work from an `open` session, so
that a refusal is a refusal and not a typing error.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.proxy.servers import serving
from tests.standins.engine import Engine
from tests.standins.repository import make_repo

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.getuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2"),
]

# Echoes what comes by TCP on 80 and 853 and by UDP on 53 and 443, in words a shell can look for.
_SERVER = """
import selectors, socket
selector = selectors.DefaultSelector()
for port in (80, 853):
    tcp = socket.socket(); tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind(("0.0.0.0", port)); tcp.listen(); selector.register(tcp, selectors.EVENT_READ, "tcp")
for port in (53, 443):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("0.0.0.0", port)); selector.register(udp, selectors.EVENT_READ, "udp")
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        if key.data == "udp":
            data, peer = key.fileobj.recvfrom(2048); key.fileobj.sendto(b"outside " + data, peer)
        else:
            connection, _ = key.fileobj.accept(); connection.recv(2048)
            connection.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 7\\r\\n\\r\\noutside"); connection.close()
"""

# One line a way; each prints `outside` where it gets out.
_PYTHON = "import socket as s; c = s.socket({kind}); c.settimeout(2); c.connect(({address!r}, {port})); c.send(b'x'); print(c.recv(99))"


def _dial(kind: str, address: str, port: int) -> str:
    kinds = {"tcp": "s.AF_INET, s.SOCK_STREAM", "udp": "s.AF_INET, s.SOCK_DGRAM"}
    script = _PYTHON.format(kind=kinds[kind], address=address, port=port)
    return f'python3 -c "{script}"'


def ways(outside: str) -> dict[str, str]:
    return {
        "proxy variables unset": f"env -u http_proxy -u https_proxy -u HTTP_PROXY curl -sS -m 2 http://{outside}/",
        "NO_PROXY=*": f"NO_PROXY='*' no_proxy='*' curl -sS -m 2 http://{outside}/",
        "curl --noproxy": f"curl -sS -m 2 --noproxy '*' http://{outside}/",
        "curl --connect-to": f"curl -sS -m 2 --noproxy '*' --connect-to allowed.test:80:{outside}:80 http://allowed.test/",
        "raw tcp": _dial("tcp", outside, 80),
        "dns over tls": _dial("tcp", outside, 853),
        "udp": _dial("udp", outside, 443),
        "dns to a public resolver": _dial("udp", outside, 53),
        "icmp": f"python3 - <<'P'\n{_PING.format(outside=outside)}\nP",
    }


# An unprivileged ping socket, which Docker allows every container.
_PING = (
    "import socket as s, struct\n"
    "c = s.socket(s.AF_INET, s.SOCK_DGRAM, s.IPPROTO_ICMP); c.settimeout(2)\n"
    "c.sendto(struct.pack('!BBHHH', 8, 0, 0, 0, 1) + b'outside', ({outside!r}, 0)); print(c.recv(99))"
)


@dataclass
class Outside:
    """A host beyond this one. `address` is routed to it; this host's own end of the link is `near`."""

    address: str
    near: str


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    name = f"sv{os.getpid() % 100000}"
    third = os.getpid() % 250
    near, far = f"198.51.{third}.1", f"198.51.{third}.2"

    def ip(*argv: str) -> None:
        subprocess.run(["ip", *argv], check=True, capture_output=True)

    with contextlib.ExitStack() as undo:
        ip("netns", "add", name)
        undo.callback(subprocess.run, ["ip", "netns", "del", name], check=False)
        ip("link", "add", name, "type", "veth", "peer", "name", "out0", "netns", name)
        undo.callback(subprocess.run, ["ip", "link", "del", name], check=False, capture_output=True)
        ip("address", "add", f"{near}/30", "dev", name)
        ip("link", "set", name, "up")
        ip("-n", name, "address", "add", f"{far}/30", "dev", "out0")
        ip("-n", name, "link", "set", "out0", "up")
        ip("-n", name, "route", "add", "default", "via", near)
        argv = ["ip", "netns", "exec", name, sys.executable, "-c", _SERVER]
        server = subprocess.Popen(argv, stdout=subprocess.PIPE)
        undo.callback(server.communicate)
        undo.callback(server.kill)
        assert server.stdout is not None and server.stdout.readline() == b"ready\n"
        yield Outside(far, near)


@pytest.fixture(scope="module")
def names(module_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Two sessions: `open`, and `proxied` with an allow list of one host that the proxy can reach."""
    engine = module_engine
    with serving(tmp_path_factory.mktemp("site"), "unused") as site:
        engine.configure(
            '[general]\ndefault_agent = "idle"\n[agents.idle]\ncommand = ["sh", "-c", "exec sleep 3600"]\n',
            proxy=f'upstream_ca = "{site.ca_file}"\n'
            f'connect_to = {{ "files.test:443" = "127.0.0.1:{site.port}" }}',
        )
        repo = make_repo(engine.root / "repo")
        made = {}
        for mode, more in (("open", ()), ("proxied", ("--network", "proxied", "--allow", "files.test"))):
            made[mode] = engine.name(mode)
            engine.cli.ok("create", "--name", made[mode], "--repo", str(repo), "--prompt", "nothing", *more)
        internal = f"{engine.network}-internal"
        engine.undo(lambda: engine.docker("network", "rm", internal, check=False))
        yield made


def say(engine: Engine, session: str, script: str) -> str:
    """What a script in the container printed; whether it succeeded is not asked."""
    return engine.cli("exec", session, "--", "sh", "-c", script).text


@pytest.mark.parametrize("way", list(ways("")))
def test_a_proxied_container_has_no_way_out_by(
    way: str, module_engine: Engine, names: dict[str, str], outside: Outside
) -> None:
    script = ways(outside.address)[way]
    assert "outside" in say(module_engine, names["open"], script), (
        "the way does not even lead out where it may"
    )
    assert "outside" not in say(module_engine, names["proxied"], script)


def test_the_proxy_is_the_way_out_and_only_to_what_is_allowed(
    module_engine: Engine, names: dict[str, str], outside: Outside
) -> None:
    session = names["proxied"]
    assert '"path": "/through"' in say(module_engine, session, "curl -sS -m 20 https://files.test/through")
    for url in (
        "https://dns.google/resolve?name=x",
        "https://1.1.1.1/dns-query",
        f"http://{outside.address}/",
    ):
        answer = say(
            module_engine, session, f"curl -sS -m 20 -o /dev/null -w '%{{http_connect}} %{{http_code}}' {url}"
        )
        assert "403" in answer, (url, answer)


def test_names_cannot_be_resolved_in_a_proxied_container(
    module_engine: Engine, names: dict[str, str]
) -> None:
    resolve = "timeout 3 getent hosts example.com && echo resolved"
    assert "resolved" not in say(module_engine, names["proxied"], resolve)
    # The engine's own resolver must not forward either.
    query = (
        "import socket as s; c = s.socket(s.AF_INET, s.SOCK_DGRAM); c.settimeout(2)\n"
        "q = bytes.fromhex('123401000001000000000000076578616d706c6503636f6d0000010001')\n"
        "c.sendto(q, ('127.0.0.11', 53)); a = c.recv(512); print('answers', a[7] + 256 * a[6])\n"
    )
    out = say(module_engine, names["proxied"], f"python3 - <<'P'\n{query}P")
    assert out in ("", "answers 0\n")


def test_there_is_no_ipv6_to_go_round_by(module_engine: Engine, names: dict[str, str]) -> None:
    assert say(module_engine, names["proxied"], "grep -v ' lo$' /proc/net/if_inet6 | grep -v '^fe80'") == ""
    assert "2000:" not in say(module_engine, names["proxied"], "cat /proc/net/ipv6_route | head -5")


def test_another_container_on_the_same_network_cannot_be_reached(
    module_engine: Engine, names: dict[str, str], tmp_path: Path
) -> None:
    second = module_engine.name("second")
    repo = make_repo(tmp_path / "repo")
    module_engine.cli.ok(
        "create", "--name", second, "--repo", str(repo), "--prompt", "x", "--network", "proxied", "--allow", "files.test"
    )  # fmt: skip
    address = module_engine.docker(
        "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", f"clauderon-{second}"
    )
    serve = "python3 -m http.server 8000 --bind 0.0.0.0 >/dev/null 2>&1 &"
    module_engine.docker("exec", "-d", f"clauderon-{second}", "sh", "-c", serve)
    # It answers itself, so that the refusal below is the network's.
    for _ in range(50):
        if "200" in say(
            module_engine,
            second,
            f"curl -sS -m 2 --noproxy '*' -o /dev/null -w '%{{http_code}}' http://{address}:8000/",
        ):
            break
    else:
        pytest.fail("the server in the second container never came up")
    reach = f"curl -sS -m 2 --noproxy '*' http://{address}:8000/ && echo outside"
    assert "outside" not in say(module_engine, names["proxied"], reach)


def test_through_the_proxy_neither_it_nor_the_hosts_services_are_reached(
    module_engine: Engine, names: dict[str, str]
) -> None:
    port = module_engine.proxy_port
    for target in (
        f"127.0.0.1:{port}",
        "localhost:22",
        "host.docker.internal:22",
        "169.254.169.254:80",
        "[::1]:80",
    ):
        # NO_PROXY names some of these: asked of the proxy all the same.
        ask = f"curl -sS -m 20 --noproxy '' -x \"$http_proxy\" http://{target}/latest -w ' %{{http_code}}'"
        answer = say(module_engine, names["open"], ask)
        assert answer.endswith((" 403", " 502")), (target, answer)
        assert "guarded" in answer or "cannot be resolved" in answer, (target, answer)
