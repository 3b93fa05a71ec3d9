"""Every example, table and troubleshooting line of the Docker page, as typed there, on a real engine."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.standins.engine import BUSYBOX, DEBIAN, Engine
from tests.standins.model_process import KEYS, model_api
from tests.standins.repository import git

pytestmark = pytest.mark.live


def only_name(answer_text: str) -> str:
    (name,) = answer_text.splitlines()
    return name


def limits(engine: Engine, name: str) -> tuple[int, int]:
    """(CPUs in billionths, bytes of memory) of the session's container; 0 is none."""
    nano, memory = engine.docker(
        "inspect", "--format", "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}}", f"clauderon-{name}"
    ).split()
    return int(nano), int(memory)


def test_create_as_on_the_page(engine: Engine) -> None:
    engine.scripted()
    repo = engine.repo()
    answer = engine.cli.ok("create", "--backend", "docker", "--repo", str(repo), "--prompt", "Fix the bug")
    name = only_name(answer.text)
    assert re.fullmatch(r"fix-the-bug-[a-z0-9]{4}", name)
    assert engine.containers() == [f"clauderon-{name}"]
    assert (engine.home.worktrees / name / "README.md").is_file()
    assert str(engine.home.worktrees / name) in git("worktree", "list", cwd=repo)
    engine.docker("rm", "-f", f"clauderon-{name}")


def test_custom_image_and_limits_beat_the_file_one_by_one(engine: Engine) -> None:
    engine.scripted('[docker.limits]\ncpu = "1"\nmemory = "128m"\n')
    engine.repo()
    create = ("create", "--backend", "docker", "--repo", "repo", "--prompt", "Build")
    plain = only_name(engine.cli.ok(*create).text)
    assert limits(engine, plain) == (1_000_000_000, 128 << 20)
    memory = only_name(engine.cli.ok(*create, "--memory-limit", "64m").text)
    assert limits(engine, memory) == (1_000_000_000, 64 << 20)
    cpu = only_name(engine.cli.ok(*create, "--cpu-limit", "0.5", "--image", BUSYBOX).text)
    assert limits(engine, cpu) == (500_000_000, 128 << 20)
    none = only_name(engine.cli.ok(*create, "--cpu-limit", "", "--memory-limit", "").text)
    assert limits(engine, none) == (0, 0)
    image = engine.docker("inspect", "--format", "{{.Config.Image}}", f"clauderon-{cpu}")
    assert image == BUSYBOX


def test_a_cpu_limit_above_the_machine_does_not_stop_a_session(engine: Engine) -> None:
    """The page's `--cpu-limit 4`, on a machine with two."""
    engine.scripted()
    engine.repo()
    answer = engine.create("heavy", "--cpu-limit", "4096", "--memory-limit", "8g")
    assert "does not bind" in answer.error
    assert limits(engine, engine.name("heavy"))[1] == 8 << 30


def test_pull_policy_never_fails_without_the_image_and_before_anything_exists(engine: Engine) -> None:
    engine.scripted()
    repo = engine.repo()
    answer = engine.cli(
        "create",
        "--repo",
        "repo",
        "--prompt",
        "x",
        "--pull-policy",
        "never",
        "--image",
        "clauderon-test:none",
    )
    assert answer.status != 0 and answer.out == b""
    assert "clauderon-test:none" in answer.error and "hint: docker pull clauderon-test:none" in answer.error
    assert engine.containers() == []
    assert git("branch", "--format=%(refname:short)", cwd=repo) == "main\n"


def test_the_mount_table(engine: Engine) -> None:
    engine.scripted()
    engine.repo()
    engine.create("m")
    identity = engine.docker(
        "inspect", "--format", '{{index .Config.Labels "clauderon.id"}}', engine.container("m")
    )
    mounts = {m["Destination"]: (m["Source"], m["RW"]) for m in engine.inspect("m")["Mounts"]}
    root = engine.home.root
    assert mounts["/workspace"] == (f"{root}/worktrees/{engine.name('m')}", True)
    assert mounts["/etc/clauderon/proxy-ca.pem"] == (f"{root}/proxy-ca.pem", False)
    assert mounts["/workspace/.claude.json"] == (f"{root}/claude.json", False)
    assert mounts[f"/workspace/.clauderon/uploads/{identity}"] == (f"{root}/uploads/{identity}", True)
    assert mounts["/workspace/.clauderon/hooks"] == (f"{root}/hooks", False)


def test_the_environment_table(engine: Engine) -> None:
    engine.scripted()
    engine.repo()
    engine.create("e")
    env = dict(pair.split("=", 1) for pair in engine.inspect("e")["Config"]["Env"])
    (row,) = engine.cli.ok("list", "--json").json["data"]
    url = f"http://host.docker.internal:{row['port']}"
    ca = "/etc/clauderon/proxy-ca.pem"
    assert (env["HTTP_PROXY"], env["HTTPS_PROXY"]) == (url, url)
    assert (env["SSL_CERT_FILE"], env["NODE_EXTRA_CA_CERTS"], env["REQUESTS_CA_BUNDLE"]) == (ca, ca, ca)


def test_the_shared_volumes_are_in_every_session_to_be_read_by_any_uid(engine: Engine) -> None:
    engine.scripted(docker='user = "1234:1234"')
    engine.repo()
    engine.create("v")
    volumes = {m["Name"] for m in engine.inspect("v")["Mounts"] if m["Type"] == "volume"}
    assert volumes == {"clauderon-cargo-registry", "clauderon-cargo-git", "clauderon-sccache"}
    targets = [m["Destination"] for m in engine.inspect("v")["Mounts"] if m["Type"] == "volume"]
    for target in targets:
        engine.inside("v", f"ls {target} && ! touch {target}/x 2>/dev/null")


@pytest.mark.parametrize("user", ["", 'user = "1000:1000"'], ids=["host", "uid 1000"])
def test_git_status_is_clean_right_after_create_everywhere(engine: Engine, user: str) -> None:
    engine.scripted(docker=user)
    repo = engine.repo()
    engine.create("g")
    # A worktree that was given to another uid is not root's, and git asks to be told that this is meant.
    status = ("-c", "safe.directory=*", "status", "--porcelain")
    assert git(*status, cwd=repo) == ""
    assert git(*status, cwd=engine.home.worktree(engine.name("g"))) == ""
    assert engine.inside("g", "git status --porcelain") == ""


def test_docker_ps_grep_finds_the_containers(engine: Engine) -> None:
    engine.scripted()
    engine.repo()
    engine.create("p")
    found = subprocess.run(
        "docker ps -a | grep clauderon",
        shell=True,
        env=engine.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert engine.container("p") in found.stdout


def test_the_curl_check_of_network_issues_on_the_host_is_a_plain_tunnel(engine: Engine) -> None:
    """`curl -x http://localhost:3030 https://api.anthropic.com`: nothing is intercepted, no credential is lent."""
    with model_api(engine.root / "model") as model:
        engine.environ |= KEYS
        engine.scripted(proxy=model.proxy_lines)
        engine.repo()
        engine.create("c")
        curl = ["curl", "-sS", "-x", f"http://localhost:{engine.proxy_port}", "https://api.anthropic.com"]
        # The far end's own certificate, which our CA did not sign.
        done = subprocess.run(
            [*curl, "--cacert", str(model.ca)],
            env=engine.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        (seen,) = model.seen()
        assert (seen["path"], list(seen["credential_headers"])) == ("/", [])
        ours = subprocess.run(
            [*curl, "--cacert", str(engine.home.ca_cert)],
            env=engine.environ,
            capture_output=True,
            check=False,
        )
        assert ours.returncode == 60, ours


def test_the_curl_check_of_network_issues_in_the_container(engine: Engine) -> None:
    """`docker exec <container> curl http://host.docker.internal:3030`, with the container's own proxy variables."""
    engine.scripted()
    engine.repo()
    engine.create("c")
    said = engine.docker(
        "exec", engine.container("c"), "curl", f"http://host.docker.internal:{engine.proxy_port}"
    )
    health = json.loads(said)
    assert (health["service"], health["status"]) == ("clauderon-proxy", "ok"), health


def test_a_custom_image_needs_nothing_but_sh(engine: Engine) -> None:
    engine.scripted()
    engine.repo()
    answer = engine.create("b", "--image", BUSYBOX)
    assert engine.inside("b", "cat /workspace/src/hello.txt") == "hello"
    # What the page says an image should have and this one has not, said once.
    lacks = "the image has no git"
    assert answer.error.count(lacks) == 1, answer.error
    assert lacks not in engine.create("again", "--image", BUSYBOX).error
    assert lacks not in engine.create("full", "--image", DEBIAN).error


def test_refresh_makes_the_container_anew_from_the_image_of_that_name(engine: Engine) -> None:
    engine.scripted()
    engine.repo()
    tag = f"clauderon-test:{engine.prefix}"
    engine.docker("tag", BUSYBOX, tag)
    engine.undo(lambda: engine.docker("rmi", "-f", tag, check=False))
    engine.create("r", "--image", tag, "--memory-limit", "64m", "--env", "A=b c")
    engine.inside("r", "echo kept > /workspace/untracked; echo home > ~/of-the-agent")
    before = engine.inspect("r")
    engine.docker("tag", DEBIAN, tag)
    engine.cli.ok("refresh", engine.name("r"), "--pull-policy", "never")
    after = engine.inspect("r")
    assert after["Id"] != before["Id"] and after["Image"] != before["Image"]
    assert after["HostConfig"]["Memory"] == 64 << 20
    assert "A=b c" in after["Config"]["Env"]
    assert engine.inside("r", "cat /workspace/untracked ~/of-the-agent") == "kept\nhome"
    assert engine.containers() == [engine.container("r")]


def test_a_refresh_whose_pull_fails_leaves_the_old_container_running(engine: Engine) -> None:
    engine.scripted()
    engine.repo()
    tag = f"127.0.0.1:9/{engine.prefix}:1"
    engine.docker("tag", BUSYBOX, tag)
    engine.undo(lambda: engine.docker("rmi", "-f", tag, check=False))
    engine.create("f", "--image", tag)
    before = engine.inspect("f")
    answer = engine.cli("refresh", engine.name("f"))
    assert answer.status == 4, answer
    assert f"\nhint: clauderon refresh {engine.name('f')} --pull-policy never\n" in answer.error
    after = engine.inspect("f")
    assert (after["Id"], after["State"]["Running"]) == (before["Id"], True)
    assert engine.cli.ok("list", "--json").json["data"][0]["state"] == "running"
