"""The contenders of the proxy benchmark: how each is set up, configured, started and stopped.

Every one listens on loopback, trusts the upstream's CA, verifies it, and keeps the log it keeps by default.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import choices
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Protocol

from bench.machine import ROOT, Child, Unavailable, cache, programs, run, say

if TYPE_CHECKING:
    from clauderon.store import Session

# A host for which there is a credential, on the one port where it is lent; and one that sessions may not reach.
LENT_HOST, LENT_PORT = "lent.bench.test", 443
DENIED_HOST = "denied.a.bench.test"


@dataclass(frozen=True, slots=True)
class Stage:
    """What all contenders share. `hosts` are the names the load generator will use, all of them 127.0.0.1.

    ca_cert, ca_key: an ECDSA CA for the peers that take one; peer_cert, peer_key: a leaf of it for all names, for those
    that mint none; upstream_ca: what signed the upstream's certificate.
    """

    directory: Path
    upstream_port: int
    upstream_ca: Path
    ca_cert: Path
    ca_key: Path
    peer_cert: Path
    peer_key: Path
    hosts: Sequence[str]


class Peer(Protocol):
    """One contender. `start` may be called again after `stop`, and then begins with nothing remembered."""

    name: str
    lends: bool  # it has a credential for LENT_HOST
    mints: bool  # it makes a certificate for a name in less than a blink

    def set_up(self) -> None:
        """Fetch or find what it needs. Raises Unavailable."""

    def start(self, stage: Stage, port: int) -> None: ...

    def stop(self) -> None: ...

    @property
    def pid(self) -> int | None:
        """The root of its process tree, or None if there is no process."""

    @property
    def port(self) -> int:
        """Where the load generator finds it; 0 for no proxy at all."""

    def ca(self, stage: Stage) -> Path:
        """What its clients trust."""


class Direct:
    """No proxy: what the two ends and the machine can do."""

    name = "direct"
    lends = False
    mints = True
    pid = None
    port = 0

    def set_up(self) -> None:
        pass

    def start(self, stage: Stage, port: int) -> None:
        pass

    def stop(self) -> None:
        pass

    def ca(self, stage: Stage) -> Path:
        return stage.upstream_ca


class Server:
    """What the contenders that are a process have in common."""

    name: str
    lends = False
    mints = True

    def __init__(self) -> None:
        self.child: Child | None = None
        self.port = 0

    @property
    def pid(self) -> int | None:
        return self.child.pid if self.child else None

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
            self.child = None

    def ca(self, stage: Stage) -> Path:
        return stage.ca_cert

    def fresh(self, stage: Stage, port: int) -> Path:
        """An empty directory for this start."""
        self.port = port
        directory = stage.directory / self.name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        return directory


def unpacked(name: str, there: str, packages: Sequence[str]) -> Path:
    """Debian packages, unpacked beside the system rather than installed into it; `there` is in it when it is whole.

    Raises Unavailable.
    """
    root = cache() / name
    if (root / there).exists():
        return root
    if shutil.which("apt-get") is None:
        raise Unavailable(f"{packages[0]} comes from Debian, and there is no apt-get here")
    say(f"fetching {packages[0]}")
    archives = root / "packages"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    run(
        ["apt-get", "install", "--yes", "--download-only", "--reinstall", "--no-install-recommends",
         "-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={archives}", *packages]
    )  # fmt: skip
    for package in sorted(archives.glob("*.deb")):
        run(["dpkg", "-x", package, root])
    return root


class Squid(Server):
    """squid-openssl from Debian.

    Bumped client-first with its upstream connections pooled, the faster of its two ways for new tunnels; leaves
    minted by its helpers, remembered in memory, without the helpers' database on disk (half as fast again).
    """

    name = "squid"

    def set_up(self) -> None:
        self.root = unpacked("squid", "usr/sbin/squid", ("squid-openssl", "squid-common"))

    def start(self, stage: Stage, port: int) -> None:
        directory = self.fresh(stage, port)
        # The user it becomes when root starts it cannot look into root's cache.
        shutil.copytree(self.root / "usr", directory / "usr", symlinks=True)
        library, share = directory / "usr/lib/squid", directory / "usr/share/squid"
        hosts = directory / "hosts"
        hosts.write_text("".join(f"127.0.0.1 {host}\n" for host in stage.hosts))
        configuration = directory / "squid.conf"
        configuration.write_text(
            f"""
http_port 127.0.0.1:{port} ssl-bump tls-cert={stage.ca_cert} tls-key={stage.ca_key} \
generate-host-certificates=on dynamic_cert_mem_cache_size=64MB
sslcrtd_program {library}/security_file_certgen
ssl_bump bump all
tls_outgoing_options cafile={stage.upstream_ca}
http_access allow all
cache deny all
hosts_file {hosts}
access_log daemon:{directory}/access.log
logfile_daemon {library}/log_file_daemon
unlinkd_program {library}/unlinkd
cache_log {directory}/cache.log
mime_table {share}/mime.conf
error_directory {share}/errors/templates
icon_directory {share}/icons
pid_filename none
coredump_dir {directory}
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname bench
"""
        )
        if os.geteuid() == 0:
            # It gives root up for this user of Debian's base system and must still reach its files.
            shutil.chown(directory, "proxy", "proxy")
        libraries = sorted({str(found.parent) for found in directory.glob("usr/lib/**/*.so*")})
        env = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
        squid = directory / "usr/sbin/squid"
        self.child = Child([squid, "-N", "-f", configuration], directory / "output", env)
        self.child.until_listening(port)


ADDON = """
def requestheaders(flow):
    flow.request.stream = True
def responseheaders(flow):
    flow.response.stream = True
def server_connect(data):
    data.server.address = ("127.0.0.1", data.server.address[1])
"""


class Mitmproxy(Server):
    """mitmproxy from pip, in an environment of its own; bodies streamed, flows not kept."""

    name = "mitmproxy"

    def set_up(self) -> None:
        self.root = cache() / "mitmproxy"
        if (self.root / "bin/mitmdump").exists():
            return
        say("installing mitmproxy")
        venv.create(self.root, with_pip=True, clear=True)
        run([self.root / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "mitmproxy"])

    def start(self, stage: Stage, port: int) -> None:
        directory = self.fresh(stage, port)
        (directory / "mitmproxy-ca.pem").write_bytes(stage.ca_key.read_bytes() + stage.ca_cert.read_bytes())
        (directory / "addon.py").write_text(ADDON)
        options = {
            "confdir": directory,
            "ssl_verify_upstream_trusted_ca": stage.upstream_ca,
            "flow_detail": 0,
            "http2": "false",
        }
        argv: list[str | Path] = [
            self.root / "bin/mitmdump",
            "--quiet",
            "--listen-host",
            "127.0.0.1",
            "--listen-port",
            str(port),
        ]
        argv += ["-s", directory / "addon.py"]
        for name, value in options.items():
            argv += ["--set", f"{name}={value}"]
        self.child = Child(argv, directory / "output")
        self.child.until_listening(port)


class Relay(Server):
    """A relay in C that knows no HTTP (bench/relay.c): the limit of two TLS ends and one thread between them."""

    name = "relay"
    mints = False

    def set_up(self) -> None:
        programs()

    def start(self, stage: Stage, port: int) -> None:
        directory = self.fresh(stage, port)
        upstream = (str(port), str(stage.upstream_port))
        files = (stage.peer_cert, stage.peer_key, stage.upstream_ca)
        self.child = Child([programs() / "relay", *upstream, *files], directory / "output")
        self.child.until_listening(port)


class GoProxy(Server):
    """A proxy on the Go library goproxy (bench/goproxy.go), compiler and library from Debian.

    Its leaves are RSA, and it takes a good part of a second for each, so new names are not measured.
    """

    name = "goproxy"
    mints = False

    def set_up(self) -> None:
        wanted = ("golang-go", "golang-github-elazarl-goproxy-dev")
        root = unpacked("golang", "usr/share/gocode/src/github.com/elazarl", wanted)
        source = ROOT / "bench/goproxy.go"
        digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
        self.program = root / f"goproxy-{digest}"
        if self.program.exists():
            return
        say("compiling goproxy")
        compilers = sorted(root.glob("usr/lib/go-*"))
        if not compilers:
            raise Unavailable("golang-go has no compiler in it")
        env = {
            **os.environ, "GOROOT": str(compilers[-1]), "GOPATH": str(root / "usr/share/gocode"), "GO111MODULE": "off",
            "GOCACHE": str(root / "build"), "CGO_ENABLED": "0", "GOFLAGS": "",
        }  # fmt: skip
        run([compilers[-1] / "bin/go", "build", "-o", self.program, source], env=env)

    def start(self, stage: Stage, port: int) -> None:
        import trustme

        directory = self.fresh(stage, port)
        authority = trustme.CA(key_type=trustme.KeyType.RSA)  # the only kind that it can sign with
        authority.cert_pem.write_to_path(self.ca(stage))
        authority.private_key_pem.write_to_path(directory / "ca.key")
        files = (self.ca(stage), directory / "ca.key", stage.upstream_ca)
        self.child = Child([self.program, str(port), *files], directory / "output")
        self.child.until_listening(port)

    def ca(self, stage: Stage) -> Path:
        return stage.directory / self.name / "ca.pem"


class Clauderon(Server):
    """Our own service as it is in use: supervisor and worker, audit and policy on; one session, or `sessions`.

    tree: another checkout to run it from. ports: those of the sessions, once it was started.
    """

    lends = True

    def __init__(self, name: str = "clauderon", tree: Path = ROOT, sessions: int = 1) -> None:
        super().__init__()
        self.name = name
        self.env = {**os.environ, "PYTHONPATH": str(tree)}
        self.sessions = sessions
        self.ports: list[int] = []

    def set_up(self) -> None:
        run([sys.executable, "-P", "-c", "import clauderon.proxy.service"], env=self.env)

    def start(self, stage: Stage, port: int) -> None:
        """It takes this port, and those after it for its sessions."""
        from clauderon.paths import Home
        from clauderon.proxy.ca import authority
        from clauderon.store import Store

        directory = self.fresh(stage, port)
        home = Home(directory)
        home.create()
        authority.ensure(home)  # only the first start in a home makes the CA
        self.ports = [port + 1 + number for number in range(self.sessions)]
        places = [f"{host}:{stage.upstream_port}" for host in stage.hosts]
        places.append(f"{LENT_HOST}:{LENT_PORT}")
        connect_to = "".join(f'"{place}" = "127.0.0.1:{stage.upstream_port}"\n' for place in places)
        home.config.write_text(
            f'[proxy]\nport = {port}\nsession_ports = "{self.ports[0]}-{self.ports[-1]}"\n'
            f'upstream_ca = "{stage.upstream_ca}"\n[proxy.connect_to]\n{connect_to}{self.more_config()}'
            f'[network]\ndeny = ["{DENIED_HOST}"]\n'
            f'[credentials.bench]\nhosts = ["{LENT_HOST}"]\nfile = "bench"\n'
        )
        for name, value in self.secrets().items():
            secret = home.secrets / name
            secret.write_text(value)
            secret.chmod(0o600)
        with Store.open(home) as store:
            for number, taken in enumerate(self.ports):
                store.add(_session(number, taken), range(taken, taken + 1))
        env = {**self.env, "CLAUDERON_HOME": str(directory)}
        argv = [sys.executable, "-P", "-m", "clauderon", "proxy", "run"]
        self.child = Child(argv, directory / "output", env)
        for taken in self.ports:
            self.child.until_listening(taken)
        self.port = self.ports[0]

    def more_config(self) -> str:
        """Lines of `connect_to` for other hosts."""
        return ""

    def secrets(self) -> dict[str, str]:
        """By the names of their files."""
        return {"bench": "ghp_" + "".join(choices(ascii_letters + digits, k=36))}

    def ca(self, stage: Stage) -> Path:
        return stage.directory / self.name / "proxy-ca.pem"


def _session(number: int, port: int) -> Session:
    from clauderon.store import Session

    return Session(
        id=f"be{number:010x}", name=f"bench-{number}", state="running", step="", port=port, repo="/", git_dir="/",
        branch=f"clauderon/bench-{number}", base="0" * 40, agent="claude", image="none", created_at=0.0, updated_at=0.0,
        ip="127.0.0.1", env={},
    )  # fmt: skip


def known(trees: Sequence[Path]) -> list[Peer]:
    """Every contender; trees: other checkouts of clauderon to run beside this one, named by their last component."""
    others = [Clauderon(tree.name, tree.absolute()) for tree in trees]
    return [Direct(), Relay(), Mitmproxy(), GoProxy(), Squid(), *others, Clauderon()]
