"""A client that does not read holds up itself alone."""

from __future__ import annotations

import socket
import threading

from tests.proxy.peers import GET, Peer
from tests.proxy.rig import Rig


def test_pipelined_requests_do_not_pile_up_answers_for_a_client_that_does_not_read(rig: Rig) -> None:
    served: list[int] = []

    def handle(peer: Peer) -> None:
        while True:
            peer.message()
            served.append(1)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.send(GET * 500)
    before = -1
    while before != len(served):
        before = len(served)
        threading.Event().wait(0.3)
    assert len(served) < 60
    for _ in range(500):
        assert len(client.message()[1]) == 1_000_000


def test_refused_requests_do_not_pile_up_answers_either(rig: Rig) -> None:
    rig.session(allow=("api.test",))
    rig.upstream()
    client = rig.tunnel()
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    rig.call(rig.plane.update_policy, rig.policy(allow=()))
    count = 60_000
    sender = threading.Thread(target=client.send, args=(GET * count,))
    sender.start()
    before = -1
    while before != len(rig.records.all):
        before = len(rig.records.all)
        threading.Event().wait(0.3)
    assert before < count
    for _ in range(count):
        assert client.message()[0].startswith(b"HTTP/1.1 403 ")
    sender.join()
