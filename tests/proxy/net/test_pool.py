"""The idle connections to upstreams: whose stay when there are too many."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from clauderon.proxy.net.pool import Pool
from clauderon.proxy.net.upstream import Key, Upstream
from tests.proxy.peers import GET, OK, Peer
from tests.proxy.rig import Rig


class _Transport:
    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def close(self) -> None:
        pass


def _idle(pool: Pool, key: Key) -> Upstream:
    wire = Upstream(pool.loop, key, pool)
    wire.connection_made(cast(Any, _Transport()))
    pool.put(wire)
    return wire


def _key(session: str, number: int) -> Key:
    return Key(session, True, f"h{number}.test", 443)


def test_a_full_pool_keeps_the_connections_of_who_has_few() -> None:
    """Seen to fail when what came to a full pool was closed: one session's idle connections shut all others out."""
    loop = asyncio.new_event_loop()
    pool = Pool(loop)
    first = _idle(pool, _key("quiet", 0))
    flood = [_idle(pool, _key("flood", number)) for number in range(3 * pool.TOTAL)]
    later = _idle(pool, _key("late", 0))
    assert not first.closed and not later.closed
    assert pool.take(_key("quiet", 0), safe=True) is first
    assert pool.take(_key("late", 0), safe=True) is later
    assert pool.size <= pool.TOTAL
    assert pool.size == sum(map(len, pool.idle.values())) == sum(not wire.closed for wire in flood)
    kept = [wire for wire in flood if not wire.closed]
    assert kept == flood[-len(kept) :], "of its own, those that were idle the longest go"
    assert len(kept) >= pool.TOTAL - pool.ROOM - 2
    loop.close()


def test_a_session_alone_drops_its_oldest_not_its_newest() -> None:
    loop = asyncio.new_event_loop()
    pool = Pool(loop)
    wires = [_idle(pool, _key("one", number)) for number in range(pool.TOTAL + 1)]
    assert [wire.closed for wire in wires] == [True] * pool.ROOM + [False] * (pool.TOTAL + 1 - pool.ROOM)
    loop.close()


def test_a_session_keeps_its_connection_beside_one_that_visits_many_hosts(rig: Rig) -> None:
    upstream = rig.upstream("api.test", OK)
    pool = rig.plane.shared.pool
    pool.TOTAL = 4
    pool.ROOM = 2
    for number in range(8):
        rig.upstream(f"h{number}.test", OK)
    rig.session("other")
    client = rig.tunnel()
    for number in range(8):
        client.send(b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n")
        assert client.message()[1] == b"ok"
        other = rig.tunnel(f"h{number}.test", name="other")
        other.send(b"GET / HTTP/1.1\r\nHost: h%d.test\r\n\r\n" % number)
        assert other.message()[1] == b"ok"
    assert len(upstream.peers) == 1


def test_a_pool_forgets_the_hosts_it_has_no_connection_to(rig: Rig) -> None:
    answers = iter([OK, b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"])

    def handle(peer: Peer) -> None:
        for answer in answers:
            peer.head()
            peer.send(answer)

    rig.upstream(handler=handle)
    client = rig.tunnel()
    for _ in range(2):
        client.send(GET)
        client.message()
    rig.wait(lambda: rig.plane.pool.size == 0)
    assert rig.call(lambda: dict(rig.plane.pool.idle)) == {}
