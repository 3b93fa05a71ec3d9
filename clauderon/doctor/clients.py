"""`doctor --tls`: tries every client that a session's image has against an address that the proxy itself answers.

Nothing leaves the machine: the proxy answers for PROBE_HOST and never dials it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from clauderon import names, proc
from clauderon.doctor.check import Check, fail, ok, warn
from clauderon.errors import ClauderonError
from clauderon.proxy.policy.hosts import PROBE_HOST
from clauderon.record import Session
from clauderon.session.context import Context

URL = f"https://{PROBE_HOST}/"
BUNDLE = "/etc/clauderon/ca-bundle.pem"
EACH_TIMEOUT_S = 20.0


class Client(NamedTuple):
    """name: as a person says it. needs: what must be on PATH. script: for `sh`, with the address as `$1`.

    answered: what it prints where the TLS worked although the answer was not what it wanted; remedy: what to set.
    """

    name: str
    needs: str
    script: str
    remedy: str
    answered: str = ""


_PYTHON = """\
import ssl, sys, urllib.request
context = ssl.create_default_context()
context.verify_flags |= ssl.VERIFY_X509_STRICT
urllib.request.urlopen(sys.argv[1], timeout=10, context=context)
"""
_NODE = """\
fetch(process.argv[1]).then(() => process.exit(0), e => {
console.error(e.cause ? `${e.cause.code} ${e.cause.message}` : e); process.exit(1) })
"""
_RUBY = "require 'net/http'; Net::HTTP.get(URI(ARGV[0]))"
_PHP = """\
if (!function_exists('curl_init')) { fwrite(STDERR, "no curl extension"); exit(3); }
$c = curl_init($argv[1]); curl_setopt($c, CURLOPT_RETURNTRANSFER, true);
if (curl_exec($c) === false) { fwrite(STDERR, curl_error($c)); exit(1); }
"""
_PERL = """\
my $r = HTTP::Tiny->new(verify_SSL => 1)->get($ARGV[0]); print STDERR $r->{content} unless $r->{success};
exit($r->{success} ? 0 : 1);
"""
_JAVA = """\
public class Tls { public static void main(String[] words) throws Exception {
new java.net.URL(words[0]).openStream().close(); } }
"""
_SCRATCH = 'd=$(mktemp -d) || exit 9; trap \'rm -rf "$d"\' EXIT; cd "$d" || exit 9\n'

CLIENTS = (
    Client("curl", "curl", 'exec curl -sS -m 10 -o /dev/null "$1"', f"export CURL_CA_BUNDLE={BUNDLE}"),
    Client("wget", "wget", 'exec wget -q -T 10 -t 1 -O /dev/null "$1"',
           f"echo 'ca_certificate = {BUNDLE}' >>~/.wgetrc"),
    Client(
        "git", "git", 'GIT_TERMINAL_PROMPT=0 exec git ls-remote "$1"', f"export GIT_SSL_CAINFO={BUNDLE}",
        answered=r"not valid: is this a git repository|not found",
    ),
    Client(
        "openssl", "openssl",
        'p=${HTTPS_PROXY#http://}; h=${1#https://}; exec openssl s_client -brief -verify_return_error -proxy "${p%/}" '
        '-servername "${h%/}" -connect "${h%/}:443" </dev/null',
        f"export SSL_CERT_FILE={BUNDLE}",
    ),
    Client("Python, strict", "python3", f"exec python3 -c '{_PYTHON}' \"$1\"", f"export SSL_CERT_FILE={BUNDLE}"),
    Client(
        "pip", "pip3",
        _SCRATCH + 'pip3 --disable-pip-version-check download -q --retries 0 --timeout 10 --no-deps --index-url "$1" '
        "clauderon-doctor",
        f"export PIP_CERT={BUNDLE}", answered=r"No matching distribution|Could not find a version",
    ),
    Client("Node.js fetch", "node", f"exec node -e '{_NODE}' \"$1\"",
           "export NODE_USE_ENV_PROXY=1   # Node.js 24 or newer"),
    Client(
        "npm", "npm",
        'exec npm view clauderon-doctor --registry "$1" --fetch-retries 0 --fetch-timeout 10000 --cache "$(mktemp -d)"',
        f"npm config set cafile {BUNDLE}", answered=r"E404|E400|EJSONPARSE|Unexpected token|valid JSON|invalid json",
    ),
    Client(
        "cargo", "cargo",
        _SCRATCH + 'CARGO_HOME=$d CARGO_NET_RETRY=0 CARGO_REGISTRIES_DOCTOR_INDEX="sparse+$1" cargo search --registry '
        "doctor clauderon-doctor",
        f"export CARGO_HTTP_CAINFO={BUNDLE}",
        answered=r"failed to parse|invalid|expected value|missing field|404",
    ),
    Client(
        "Go", "go",
        _SCRATCH + 'GOPATH=$d GOFLAGS=-modcacherw GOPROXY="$1" GONOSUMDB="*" GONOSUMCHECK=1 GOSUMDB=off go list -m '
        "clauderon-doctor.invalid/m@latest",
        f"export SSL_CERT_FILE={BUNDLE}", answered=r"404|invalid version|unexpected|reading https",
    ),
    Client(
        "Java", "java", _SCRATCH + f"cat >Tls.java <<'END'\n{_JAVA}END\njava Tls.java \"$1\"",
        "export JAVA_TOOL_OPTIONS=-Djavax.net.ssl.trustStore=/etc/clauderon/truststore.p12",
    ),
    Client("Ruby", "ruby", f'exec ruby -e "{_RUBY}" "$1"', f"export SSL_CERT_FILE={BUNDLE}"),
    Client("PHP", "php", f'exec php -r "$(cat <<"END"\n{_PHP}END\n)" "$1"', f"echo 'curl.cainfo={BUNDLE}' >>php.ini"),
    Client("Perl", "perl", f"exec perl -MHTTP::Tiny -e '{_PERL}' \"$1\"",
           "unset ALL_PROXY all_proxy   # HTTP::Tiny takes no empty one"),
)  # fmt: skip

_TLS = re.compile(
    r"certificate|\bSSL\b|\bTLS\b|x509|PKIX|self.signed|UNABLE_TO|unknown.ca|verify failed", re.IGNORECASE
)
_NAME = re.compile(
    r"resolve|ENOTFOUND|EAI_AGAIN|getaddrinfo|unknown host|no such host|UnknownHost|not known", re.IGNORECASE
)
_MISSING = re.compile(r"no curl extension|IO::Socket::SSL|Can't locate|No module named|cannot load such file")


def examine(context: Context, session: Session) -> Iterator[Check]:
    """A check for each client that the container has. Raises BackendError for an engine that cannot be reached."""
    container = names.container(session.name)
    detail = context.docker.container_inspect(container)
    if detail is None or not detail.running:
        yield fail("tls", f"{session.name} does not run", f"clauderon start {session.name}")
        return
    has = set(_said(context, container, "sh", "-c", 'for c; do command -v "$c" >/dev/null && echo "$c"; done; :', "sh",
                    *sorted({client.needs for client in CLIENTS})).text.split())  # fmt: skip
    present = [client for client in CLIENTS if client.needs in has]
    if not present:
        yield warn("tls", "the image has none of the clients that are known", "clauderon image build")
    for client in present:
        yield _tried(context, container, client)


def _tried(context: Context, container: str, client: Client) -> Check:
    try:
        answer = _said(context, container, "sh", "-c", client.script, "sh", URL)
    except ClauderonError as error:
        return fail(client.name, str(error), client.remedy)
    return judged(client, answer.status, f"{answer.text}\n{answer.error_text}")


def judged(client: Client, status: int, said: str) -> Check:
    """What a client's end and its words mean. Pure."""
    last = _telling(said) or f"status {status}"
    if status == 0:
        return ok(client.name, "trusts the proxy")
    if _MISSING.search(said):
        return warn(client.name, f"cannot do TLS in this image: {last}")
    if client.answered and re.search(client.answered, said) and not re.search(r"certificate|x509", said):
        return ok(client.name, "trusts the proxy")
    if _TLS.search(said):
        return fail(client.name, f"does not trust the proxy's certificate: {last}", client.remedy)
    if _NAME.search(said):
        return fail(client.name, f"does not use HTTPS_PROXY: {last}", client.remedy)
    return fail(client.name, last, client.remedy)


def _telling(said: str) -> str:
    """The line that says most: the first about certificates, names or the proxy, else the last."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    about = [line for line in lines if _TLS.search(line) or _NAME.search(line) or "proxy" in line.lower()]
    return (about or lines[::-1] or [""])[0][:160]


def _said(context: Context, container: str, *words: str) -> proc.Completed:
    """What a command in the container answers, whatever its status; as the session's own user."""
    argv = context.docker.argv("exec", container, *words)
    return proc.run(argv, env=context.docker.env, ok=None, timeout_s=EACH_TIMEOUT_S)
