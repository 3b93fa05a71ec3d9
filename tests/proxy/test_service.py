"""Starting, finding and stopping the service, as commands do it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon import config, names, proc
from clauderon.errors import BackendError, UsageError
from clauderon.proxy import service
from clauderon.proxy.daemon import control_client, lockfile
from clauderon.record import Session
from clauderon.store import Store
from tests.proxy.service_rig import CANARY, Service, Upstream, eventually


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as made:
        yield made


def listening(address: str, port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex((address, port)) == 0


def test_ensure_starts_the_service_and_finds_it_again(proxy: Service) -> None:
    first = proxy.ensure()
    assert listening("127.0.0.1", proxy.port)
    assert proxy.ensure().pid == first.pid


def test_stop_frees_the_ports_and_leaves_no_socket(proxy: Service) -> None:
    proxy.ensure()
    assert service.stop(proxy.home)
    assert not listening("127.0.0.1", proxy.port)
    assert not proxy.home.control_socket.exists()
    assert service.status(proxy.home) is None
    assert not service.stop(proxy.home)


def test_the_health_page_names_the_service_and_no_session(proxy: Service) -> None:
    session = proxy.session("secretive")
    proxy.ensure()
    with contextlib.closing(socket.create_connection(("127.0.0.1", proxy.port))) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["status"] == "ok"
    assert session.name.encode() not in answer


def test_a_new_session_gets_its_port_by_a_reload(pointed: Service) -> None:
    pointed.ensure()
    session = pointed.session("one")
    assert not listening("127.0.0.1", session.port)
    pointed.reload(session.id)
    assert pointed.request(session, "plain.test", "/a")[0] == 200


def _connected(session: Session) -> bytes:
    """What the session's port says to a CONNECT from this machine."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", session.port))) as sock:
        sock.sendall(b"CONNECT plain.test:443 HTTP/1.1\r\nHost: plain.test:443\r\n\r\n")
        return sock.recv(4096)


def test_a_port_serves_nobody_until_its_containers_address_is_known(pointed: Service) -> None:
    session = pointed.session("one", ip="")
    pointed.ensure()
    answer = _connected(session)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"not known yet" in answer
    with Store.open(pointed.home) as store:
        store.update(session.id, ip="127.0.0.1")
    pointed.reload(session.id)
    assert _connected(session).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("mode", ["open", "proxied"])
def test_a_port_serves_everybody_only_where_the_engine_hides_addresses(pointed: Service, mode: str) -> None:
    """As Docker Desktop does, in whose virtual machine the networks are."""
    session = pointed.session("one", ip="172.30.0.9", network=mode)
    other = pointed.session("two", ip="172.30.0.10", network="proxied" if mode == "open" else "open")
    network = {"subnet": "172.30.0.0/24", "gateway": "172.30.0.1", "native": False}
    with Store.open(pointed.home) as store:
        store.keep_fact("network:" + names.network(pointed.config.docker.network, mode, session.id), network)
    pointed.ensure()
    assert _connected(session).startswith(b"HTTP/1.1 200 ")
    assert _connected(other).startswith(b"HTTP/1.1 403 ")


def test_sessions_that_are_deleted_or_archived_have_no_port(proxy: Service) -> None:
    kept = proxy.session("kept")
    deleted = proxy.session("deleted", state="deleting")
    archived = proxy.session("archived", archived=True)
    proxy.ensure()
    assert listening("127.0.0.1", kept.port)
    assert not listening("127.0.0.1", deleted.port)
    assert not listening("127.0.0.1", archived.port)


def test_a_port_can_go_from_one_session_to_the_next_in_one_reload(pointed: Service) -> None:
    from clauderon.store import Store

    first = pointed.session("first")
    pointed.ensure()
    with Store.open(pointed.home) as store:
        store.remove(first.id)
    second = pointed.session("second")
    assert second.port == first.port
    assert pointed.reload(second.id).problems == ()
    pointed.request(second, "plain.test", "/")
    assert {record["session"] for record in eventually(pointed.audit)} == {"second"}


def test_access_mode_changes_inside_an_open_tunnel(pointed: Service, echo: Upstream) -> None:
    from clauderon.store import Store

    pointed.environ["GH_TOKEN"] = "ghp_test_not_a_real_token_0001"
    there = f"127.0.0.1:{echo.port}"
    pointed.configure(
        '[credentials.plain]\nhosts = ["plain.test"]\nenv = "GH_TOKEN"\n',
        upstream_ca=str(echo.ca_file),
        connect_to={"plain.test:443": there},
    )
    session = pointed.session("one")
    pointed.ensure()
    with contextlib.closing(pointed.tunnel(session, "plain.test")) as tunnel:
        tunnel.request("POST", "/", b"x")
        assert tunnel.getresponse().read() and echo.seen[-1][1]["authorization"].endswith("_0001")
        with Store.open(pointed.home) as store:
            store.update(session.id, access_mode="read-only")
        pointed.reload()
        tunnel.request("POST", "/", b"x")
        answer = tunnel.getresponse()
        assert (answer.status, b"read-only" in answer.read()) == (403, True)


def _lend_plain_test(pointed: Service, echo: Upstream, source: str) -> None:
    """A credential for plain.test, as it is, in `x-token`."""
    pointed.configure(
        '[credentials.plain]\nhosts = ["plain.test"]\nheader = "x-token"\nformat = "{secret}"\n'
        + source
        + "\n",
        upstream_ca=str(echo.ca_file),
        connect_to={"plain.test:443": f"127.0.0.1:{echo.port}"},
    )


def test_a_file_in_secrets_counts_as_soon_as_it_is_there_and_no_longer_than_it_is(
    pointed: Service, echo: Upstream
) -> None:
    _lend_plain_test(pointed, echo, 'file = "plain"')
    session = pointed.session("one")
    pointed.ensure()

    def lent() -> str:
        pointed.request(session, "plain.test")
        return str(echo.seen[-1][1].get("x-token", ""))

    assert lent() == ""
    pointed.home.secrets.mkdir(mode=0o700, exist_ok=True)
    file = pointed.home.secrets / "plain"
    for value in ("first-not-a-real-token", "other-not-a-real-token"):
        file.touch(mode=0o600)
        file.write_text(value)
        eventually(lambda value=value: lent() == value, "the file's secret is lent")
    file.unlink()
    eventually(lambda: lent() == "", "it is lent no more")


def test_a_command_with_another_value_in_its_environment_replaces_it(
    pointed: Service, echo: Upstream
) -> None:
    _lend_plain_test(pointed, echo, 'env = "PLAIN"')
    session = pointed.session("one")
    for value in ("first-not-a-real-token", "other-not-a-real-token"):
        pointed.environ["PLAIN"] = value
        pointed.ensure()
        pointed.request(session, "plain.test")
        assert echo.seen[-1][1]["x-token"] == value


def test_the_configurations_lists_hold_for_sessions_that_stand(pointed: Service, echo: Upstream) -> None:
    settings = {"upstream_ca": str(echo.ca_file), "connect_to": {"plain.test:443": f"127.0.0.1:{echo.port}"}}
    session = pointed.session("one")
    own = pointed.session("own", allow=("plain.test",))
    pointed.ensure()

    def passes(session: Session) -> bool:
        try:
            return pointed.request(session, "plain.test")[0] == 200
        except OSError:
            return False

    assert passes(session) and passes(own)
    pointed.configure('[network]\nallow = ["other.test"]\n', **settings)
    eventually(lambda: not passes(session), "the new list holds")
    assert passes(own)
    pointed.configure('[network]\nallow = ["plain.test"]\n', **settings)
    eventually(lambda: passes(session), "what the refusal says helps")
    pointed.configure('[network]\ndeny = ["plain.test"]\n', **settings)
    eventually(lambda: not passes(session) and not passes(own), "deny holds for all")


def test_a_configuration_that_breaks_under_way_is_said_and_changes_nothing(pointed: Service) -> None:
    session = pointed.session("one")
    pointed.ensure()
    before = pointed.home.config.read_text()
    pointed.home.config.write_text("[proxy\n")
    (problem,) = eventually(lambda: pointed.status().problems, "it is a problem")
    assert problem.startswith("the earlier configuration still applies: ") and "config.toml" in problem
    assert pointed.request(session, "plain.test")[0] == 200
    pointed.home.config.write_text(before)
    eventually(lambda: not pointed.status().problems, "it is none any more")


def test_a_stranger_on_the_port_is_named(proxy: Service) -> None:
    with contextlib.closing(socket.socket()) as stranger:
        stranger.bind(("127.0.0.1", proxy.port))
        stranger.listen()
        with pytest.raises(BackendError) as caught:
            proxy.ensure()
    assert f"port {proxy.port} on 127.0.0.1 is taken by " in caught.value.why
    assert f"(pid {os.getpid()})" in caught.value.why
    assert "[proxy] port" in (caught.value.hint or "")
    assert lockfile.holder(proxy.home) is None


def test_a_stranger_on_a_session_port_hurts_that_session_alone(pointed: Service) -> None:
    with contextlib.closing(socket.socket()) as stranger:
        victim = pointed.session("victim")
        stranger.bind(("127.0.0.1", victim.port))
        stranger.listen()
        other = pointed.session("other")
        pointed.ensure()
        with pytest.raises(BackendError, match=f"port {victim.port} on 127.0.0.1 is taken by"):
            pointed.reload(victim.id)
        pointed.reload(other.id)
        assert pointed.request(other, "plain.test")[0] == 200
    # Tried again on its own once the stranger is gone.
    eventually(lambda: not pointed.status().problems, "the port is free again")
    assert pointed.request(victim, "plain.test")[0] == 200


def test_another_homes_service_on_the_port_is_named_as_such(proxy: Service, tmp_path: Path) -> None:
    from clauderon.paths import Home

    proxy.ensure()
    second = (
        Service(Home(tmp_path / "second"), proxy.ports, proxy.environ) if _made(tmp_path / "second") else None
    )
    assert second is not None
    with pytest.raises(BackendError) as caught:
        second.ensure()
    assert f"the clauderon proxy of {proxy.home.root}" in caught.value.why


def _made(root: Path) -> bool:
    from clauderon.paths import Home

    Home(root).create()
    return True


def test_stale_files_of_a_killed_service_are_no_obstacle(proxy: Service) -> None:
    first = proxy.ensure()
    os.kill(first.supervisor_pid, signal.SIGKILL)
    eventually(lambda: not listening("127.0.0.1", proxy.port), "the orphan lets go of the port")
    assert service.status(proxy.home) is None
    assert proxy.home.control_socket.exists()
    second = proxy.ensure()
    assert second.supervisor_pid != first.supervisor_pid


def test_a_lock_file_with_another_programs_pid_is_stale(proxy: Service) -> None:
    (proxy.home.locks / "proxy.lock").write_text(json.dumps({"pid": os.getpid(), "version": "0", "held": {}}))
    assert service.status(proxy.home) is None
    assert not service.stop(proxy.home)
    proxy.ensure()


def test_two_services_racing_end_up_as_one(proxy: Service) -> None:
    barrier = threading.Barrier(4)
    found: list[int] = []

    def start() -> None:
        barrier.wait()
        found.append(proxy.ensure().supervisor_pid)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_a_service_of_another_version_is_replaced(proxy: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    first = proxy.ensure()
    monkeypatch.setattr("clauderon.__version__", "99.0")
    # The replacement still says the installed version, so `ensure` gives up instead of going round for ever.
    with pytest.raises(BackendError, match="again and again"):
        proxy.ensure()
    monkeypatch.undo()
    assert proxy.ensure().supervisor_pid != first.supervisor_pid


def test_the_main_port_follows_the_configuration(proxy: Service) -> None:
    first = proxy.ensure()
    proxy.configure(port=proxy.ports[2])
    second = proxy.ensure()
    assert second.supervisor_pid == first.supervisor_pid
    assert listening("127.0.0.1", proxy.ports[2])
    assert not listening("127.0.0.1", proxy.ports[0])


def test_another_port_in_one_shells_environment_cuts_nobody_off(pointed: Service) -> None:
    first = pointed.ensure()
    environ = {**pointed.environ, "CLAUDERON_PROXY_PORT": str(pointed.ports[2])}
    other = config.load(pointed.home, environ)
    second = service.ensure(pointed.home, other, environ)
    assert (second.supervisor_pid, second.port) == (first.supervisor_pid, first.port)
    # Whoever starts the proxy by hand means it.
    third = service.ensure(pointed.home, other, environ, again=True)
    assert (third.supervisor_pid != first.supervisor_pid, third.port) == (True, pointed.ports[2])


def test_a_new_main_port_that_is_taken_leaves_the_old_one(proxy: Service) -> None:
    proxy.ensure()
    with contextlib.closing(socket.socket()) as stranger:
        stranger.bind(("127.0.0.1", proxy.ports[2]))
        stranger.listen()
        proxy.configure(port=proxy.ports[2])
        with pytest.raises(BackendError, match="is taken by"):
            proxy.reload()
        assert listening("127.0.0.1", proxy.ports[0])


def test_a_bad_configuration_is_refused_and_the_service_goes_on(pointed: Service) -> None:
    session = pointed.session("one")
    pointed.ensure()
    good = pointed.config
    before = pointed.home.config.read_text()
    pointed.home.config.write_text("[proxy]\nprot = 1\n")
    with pytest.raises(UsageError, match="prot"):
        service.reload(pointed.home, good, pointed.environ)
    assert pointed.request(session, "plain.test")[0] == 200
    pointed.home.config.write_text(before)
    pointed.reload()


def test_a_first_start_with_a_bad_configuration_says_what_is_wrong(proxy: Service) -> None:
    good = proxy.config
    proxy.home.config.write_text("[proxy]\nprot = 1\n")
    with pytest.raises(BackendError, match="prot"):
        service.ensure(proxy.home, good, proxy.environ)


def test_a_home_with_a_very_long_path_works(tmp_path: Path) -> None:
    from clauderon.paths import Home
    from tests.proxy.service_rig import running
    from tests.standins.engine import reserved_ports

    root = tmp_path / ("long" * 30)
    root.mkdir()
    home = Home(root)
    home.create()
    with reserved_ports() as ports, running(home, ports) as made:
        assert made.ensure().home == str(root)


def test_files_and_socket_are_the_owners_alone(pointed: Service) -> None:
    pointed.environ["ANTHROPIC_API_KEY"] = CANARY
    session = pointed.session("one")
    pointed.ensure()
    pointed.request(session, "api.anthropic.com")
    eventually(pointed.audit)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (
            pointed.home.control_socket,
            pointed.home.ca_key,
            pointed.home.audit,
            pointed.home.logs / "proxy.log",
            pointed.home.locks / "proxy.lock",
        )
    }
    assert set(modes.values()) == {0o600}, modes


def test_control_refuses_what_it_cannot_read_without_quoting_it(proxy: Service) -> None:
    proxy.ensure()
    for body in (
        [],
        {"secrets": []},
        {"secrets": {"anthropic": CANARY}},
        {"secrets": {"anthropic": [CANARY, 1]}},
    ):
        with pytest.raises(UsageError) as caught:
            control_client.ask(proxy.home.control_socket, "POST", "/reload", body)
        assert CANARY not in str(caught.value)
    with pytest.raises(UsageError, match="control character"):
        bad = {"secrets": {"anthropic": [f"{CANARY}\nx", "env ANTHROPIC_API_KEY"]}}
        control_client.ask(proxy.home.control_socket, "POST", "/reload", bad)


def test_control_answers_its_owner_only(proxy: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root to become somebody else")
    proxy.ensure()
    # As if a careless chmod had opened the way.
    for path in [proxy.home.root, *proxy.home.root.parents]:
        if path == Path("/tmp"):
            break
        path.chmod(path.stat().st_mode | 0o755)
    proxy.home.control_socket.chmod(0o666)
    script = (
        "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); os.chdir(sys.argv[1]); s.connect('proxy.sock')\n"
        "s.sendall(b'GET /status HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'); print(s.recv(65536).decode())"
    )
    argv = [sys.executable, "-I", "-c", script, str(proxy.home.root)]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert " 403 " in answer.stdout, answer


def test_run_refuses_to_be_a_second_service(proxy: Service) -> None:
    from clauderon.errors import Conflict
    from clauderon.proxy.daemon import supervisor

    running = proxy.ensure()
    with pytest.raises(Conflict, match=f"pid {running.supervisor_pid}"):
        supervisor.run(proxy.home, proxy.config, proxy.environ)


def test_run_in_the_foreground_serves_and_ends_on_sigterm(
    pointed: Service, echo: Upstream, stack: contextlib.ExitStack
) -> None:
    session = pointed.session("one")
    pointed.environ["ANTHROPIC_API_KEY"] = CANARY
    systemd = stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)))
    systemd.bind(f"\0clauderon-test-{os.getpid()}")
    systemd.settimeout(60)
    pointed.environ["NOTIFY_SOCKET"] = f"@clauderon-test-{os.getpid()}"
    argv = [sys.executable, "-m", "clauderon", "proxy", "run"]
    child = proc.attend(argv, env=pointed.environ)
    try:
        assert systemd.recv(100) == b"READY=1"
        assert service.status(pointed.home).supervisor_pid == child.pid  # type: ignore[union-attr]
        pointed.request(session, "api.anthropic.com")
        assert echo.seen[-1][1]["x-api-key"] == CANARY
        # It became the supervisor by exec, so that its environment is clean as well.
        assert CANARY.encode() not in Path(f"/proc/{child.pid}/environ").read_bytes()
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def test_sessions_that_were_given_a_lost_ca_are_named(pointed: Service) -> None:
    from clauderon.store import Store

    pointed.ensure()
    old = pointed.session("old", state="creating")
    pointed.reload(old.id)
    with Store.open(pointed.home) as store:
        store.update(old.id, state="running")
    assert pointed.reload().problems == ()
    pointed.home.ca_key.unlink()
    pointed.ensure()
    new = pointed.session("new", state="creating")
    pointed.reload(new.id)
    assert pointed.reload().problems == ("session old was given an earlier CA: clauderon refresh old",)
    # The service signs with the new CA at once, and a container made anew has it.
    assert pointed.request(new, "plain.test")[0] == 200
    with Store.open(pointed.home) as store:
        store.update(old.id, state="refreshing")
    pointed.reload(old.id)
    with Store.open(pointed.home) as store:
        store.update(old.id, state="running")
    assert pointed.reload().problems == ()


def test_a_command_that_supplies_no_secret_is_reported(proxy: Service, tmp_path: Path) -> None:
    program = tmp_path / "print-it"
    program.write_text("#!/bin/sh\necho the vault is locked >&2\nexit 3\n")
    program.chmod(0o755)
    proxy.configure(f'[credentials.mine]\nhosts = ["mine.test"]\ncommand = ["{program}"]\n')
    (problem,) = proxy.ensure().problems
    assert problem.startswith("credential mine: ")
    assert problem.endswith("ended with 3: the vault is locked")
    assert proxy.status().lacking == ("mine",)


def test_what_prints_a_secret_is_asked_by_who_starts_something_and_by_nobody_else(
    proxy: Service, tmp_path: Path
) -> None:
    program, count = tmp_path / "print-it", tmp_path / "count"
    program.write_text(f"#!/bin/sh\necho x >>{count}\nexit 3\n")
    program.chmod(0o755)
    proxy.configure(f'[credentials.mine]\nhosts = ["mine.test"]\ncommand = ["{program}"]\n')

    def asked() -> int:
        return count.read_text().count("x")

    proxy.ensure()
    assert asked() == 1, "the service was started"
    proxy.ensure()
    proxy.reload()
    assert asked() == 1, "as by an exec, an archive"
    service.ensure(proxy.home, proxy.config, proxy.environ, again=True)
    assert asked() == 2, "by `proxy start`"
    service.reload(proxy.home, proxy.config, proxy.environ, fetch=True)
    assert asked() == 3, "as by a create"
