"""The checks of the proxy: its CA, whether it is up, and whether a container can reach it."""

from __future__ import annotations

import contextlib
import http.client
import re
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from clauderon import proc
from clauderon.config.schema import Config
from clauderon.docker import Docker
from clauderon.doctor.check import Check, fail, ok, warn
from clauderon.errors import ClauderonError, CommandTimeout, ToolMissing
from clauderon.paths import Home
from clauderon.proxy import service
from clauderon.proxy.ca import record as ca_record
from clauderon.proxy.daemon import addresses as listeners
from clauderon.proxy.policy.hosts import PROBE_HOST
from clauderon.session import resources
from clauderon.store import Store

DAY_S = 86_400
ANSWER_TIMEOUT_S = 3
# A container's start and its own time-out, with room for a slow machine.
CONTAINER_TIMEOUT_S = 60.0

# What a container finds at an address and port, in one word: whichever client the image has, and which works.
_PROBE = """\
verdict() {
    case $1:$2 in
        0:*) echo reached ;;
        *refused*) echo refused ;;
        # Whatever is answered was reached: a session's port has only proxies' words for anybody else.
        *HTTP/1* | *awaiting\\ response...\\ [1-5]* | *mpty\\ reply* | *eset\\ by\\ peer*) echo reached ;;
        *imed\\ out* | 124:* | 143:*) echo timeout ;;
        *resolve* | *bad\\ address*) echo unresolved ;;
        *) return 1 ;;
    esac
    exit
}
ask() {
if command -v curl >/dev/null 2>&1; then
    said=$(curl --silent --show-error --noproxy '*' --max-time 5 --output /dev/null "http://$host:$port/" 2>&1)
    verdict $? "$said"
fi
if command -v wget >/dev/null 2>&1; then
    said=$(wget -T 5 -O /dev/null "http://$host:$port/" 2>&1)
    verdict $? "$said"
fi
if command -v nc >/dev/null 2>&1; then
    said=$(nc -w 5 "$host" "$port" </dev/null 2>&1)
    verdict $? "$said"
fi
if command -v bash >/dev/null 2>&1; then
    said=$(bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$host" "$port" 2>&1)
    verdict $? "$said"
fi
echo "${said:-toolless}"
}
host=$1
shift
for port; do
    echo "port $port"
    (ask)
done
"""
_NO_PROXY = [
    word
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    for word in ("--env", f"{name}=")
]


def certificate(home: Home) -> Check:
    """Whether the CA is there, in time, and its key readable by its owner alone."""
    name = "CA"
    facts = ca_record.read(home)
    if facts is None or not home.ca_cert.exists():
        if home.ca_key.exists() != home.ca_cert.exists():
            return fail(
                name, "one of its two files is missing", "clauderon proxy stop; clauderon proxy start"
            )
        return ok(name, "none yet; the proxy makes it at its first start")
    try:
        mode = home.ca_key.stat().st_mode & 0o777
    except OSError as error:
        return fail(
            name,
            f"{home.ca_key}: {(error.strerror or '').lower()}",
            "clauderon proxy stop; clauderon proxy start",
        )
    if mode & 0o077:
        return fail(
            name, f"{home.ca_key} can be read by others", f"chmod 600 {shlex.quote(str(home.ca_key))}"
        )
    now = time.time()
    until = time.strftime("%Y-%m-%d", time.localtime(facts.not_after))
    if not facts.not_before <= now <= facts.not_after:
        return fail(name, f"not valid now (until {until})", "clauderon proxy stop; clauderon proxy start")
    days = int((facts.not_after - now) // DAY_S)
    if now > facts.renew_at:
        return warn(name, f"valid until {until}, {days} days", "clauderon proxy stop; clauderon proxy start")
    return ok(name, f"valid until {until}")


def proxy(home: Home, settings: Config) -> Check:
    """Whether the proxy runs and answers; else who has its port."""
    name = "proxy"
    port = settings.proxy.port
    try:
        status = service.status(home)
    except ClauderonError as error:
        return fail(name, str(error), error.hint or "clauderon proxy stop; clauderon proxy start")
    answer = _health(port)
    if status is not None:
        mend = "clauderon proxy stop; clauderon proxy start"
        if answer != 200:
            return fail(name, f"runs, and does not answer on port {port}", mend)
        if not _tunnels(port):
            return fail(name, f"answers on port {port}, and gives no answer to a request for a tunnel", mend)
        return ok(name, f"answers on port {port}, for a tunnel too")
    if answer is not None:
        owner = listeners.owner(listeners.Place("127.0.0.1", port)) or "another program"
        return fail(
            name, f"not running, and port {port} is taken by {owner}", "export CLAUDERON_PROXY_PORT=3031"
        )
    return warn(name, "not running; the next session starts it", "clauderon proxy start")


def _health(port: int) -> int | None:
    """The status of `GET /` on loopback; 0 for something that is no HTTP; None if nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
    with contextlib.closing(connection):
        try:
            connection.connect()
        except OSError:
            return None
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0


def _tunnels(port: int) -> bool:
    """Whether the request of `curl -x http://localhost:PORT https://...` is answered.

    For a name the proxy knows as the doctor's: it refuses it, marks it in the audit, and asks nobody outside.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_S)
    with contextlib.closing(connection):
        try:
            connection.request("CONNECT", f"{PROBE_HOST}:443", headers={"Host": f"{PROBE_HOST}:443"})
            return 200 <= connection.getresponse().status < 600
        except (OSError, http.client.HTTPException):
            return False


def from_container(
    home: Home, settings: Config, docker: Docker, environ: Mapping[str, str], *, proxy_up: bool
) -> Check:
    """Ask the proxy from a throwaway container on our network, as a session would."""
    name = "container to proxy"
    if not proxy_up:
        return warn(name, "not tried, since the proxy is not up", "clauderon proxy start; clauderon doctor")
    if not home.database.exists():
        return ok(name, "not tried before the first session")
    try:
        with Store.open(home) as store:
            value = store.fact(f"network:{settings.docker.network}")
            sessions = [row for row in store.all() if not row.archived]
            images = {settings.docker.default_image, *(row.image for row in sessions)}
        found = docker.inspect(settings.docker.network, *sorted(images))
        network = next((n for n in found.networks if n.name == settings.docker.network), None)
        if value is None or network is None:
            return ok(name, "not tried before the first session made the network")
        if not found.images:
            default = shlex.quote(settings.docker.default_image)
            return warn(name, "not tried: none of the images is on this engine", f"docker pull {default}")
        gateway = resources.Gateway(network=network.name, **value)
        # A firewall may let the main port through and no other.
        ports = [settings.proxy.port, *(row.port for row in sessions[:1])]
        words = _ask(docker, home, found.images[0].id, gateway, ports)
    except ClauderonError as error:
        return fail(name, str(error), error.hint or "docker info")
    return _verdicts(name, words, settings, network.id, environ)


def _ask(
    docker: Docker, home: Home, image: str, gateway: resources.Gateway, ports: Sequence[int]
) -> dict[int, str]:
    """What a container finds at each port, in a word (`_PROBE`)."""
    # By address where there is one: what is asked is whether a packet comes through.
    host = gateway.gateway if gateway.native else "host.docker.internal"
    try:
        answer = docker.run(
            "run", "--rm", "--pull", "never", "--network", gateway.network, "--cap-drop", "ALL",
            "--add-host", f"host.docker.internal:{gateway.host_address}", *_NO_PROXY,
            "--label", f"clauderon.home={home.root}", "--label", "clauderon.probe=1",
            "--entrypoint", "sh", image, "-c", _PROBE, "sh", host, *map(str, ports),
            what="ask the proxy from a container", timeout_s=CONTAINER_TIMEOUT_S,
        )  # fmt: skip
    except CommandTimeout:
        return dict.fromkeys(ports, "timeout")
    return parse_words(answer.text)


def parse_words(text: str) -> dict[int, str]:
    """What `_PROBE` printed: `port N`, then its word or what the last tool said."""
    found: dict[int, str] = {}
    parts = re.split(r"^port (\d+)\n", text, flags=re.MULTILINE)
    for port, word in zip(parts[1::2], parts[2::2], strict=True):
        found[int(port)] = word.strip()
    return found


def _verdicts(
    name: str, words: Mapping[int, str], settings: Config, network_id: str, environ: Mapping[str, str]
) -> Check:
    """The first port that is not reached, or that all are."""
    reached = _verdict(name, "reached", settings, network_id, environ)
    for port, word in words.items():
        check = _verdict(name, word, settings, network_id, environ)
        if check.outcome != "ok" and port != settings.proxy.port:
            return replace(check, found=f"session port {port}: {check.found}")
        if check.outcome != "ok":
            return check
        if port != settings.proxy.port:
            reached = replace(reached, found=f"{reached.found} and session port {port}")
    return reached


def _verdict(name: str, word: str, settings: Config, network_id: str, environ: Mapping[str, str]) -> Check:
    if word == "reached":
        return ok(
            name, f"a container on network {settings.docker.network} reaches port {settings.proxy.port}"
        )
    if word == "timeout":
        mend = open_firewall(settings, network_id, environ)
        return fail(name, "no answer in 5 s: a firewall of this machine is in the way", mend)
    if word == "refused":
        mend = "clauderon proxy stop; clauderon proxy start"
        return fail(name, "refused: the proxy does not listen on the network's gateway", mend)
    if word == "toolless":
        return warn(name, "not tried: the image has neither curl, wget, nc nor bash")
    return fail(name, f"the container said: {word or 'nothing'}", "clauderon proxy status")


def open_firewall(settings: Config, network_id: str, environ: Mapping[str, str]) -> str:
    """The command that lets our network's bridge reach the proxy's ports, for the firewall this machine has."""
    bridge = f"br-{network_id[:12]}"
    first, last = settings.proxy.session_ports.split("-")
    if _on_path("ufw", environ):
        return f"sudo ufw allow in on {bridge} proto tcp to any port {settings.proxy.port},{first}:{last}"
    if _on_path("firewall-cmd", environ):
        ports = f"--add-port={settings.proxy.port}/tcp --add-port={first}-{last}/tcp"
        return f"sudo firewall-cmd --permanent --zone=docker {ports} && sudo firewall-cmd --reload"
    ports = f"--dports {settings.proxy.port},{first}:{last}"
    return f"sudo iptables -I INPUT -i {bridge} -p tcp -m multiport {ports} -j ACCEPT"


def _on_path(program: str, environ: Mapping[str, str]) -> bool:
    try:
        proc.find(program, environ)
    except ToolMissing:
        return False
    return True
