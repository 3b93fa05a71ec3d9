"""Throw damaged HTTP at the head parsers, the framings and the whole relay, and hold what comes out against llhttp.

Everything runs in memory on transports and a loop that are only lists, some ten thousand inputs a second. A finding is
an exception, a hang, something left over, or bytes for an upstream that another parser reads differently.

    scripts/fuzz [--iterations N] [--seed S] [--only heads,chunks,relay]
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import httptools

from clauderon.proxy.dataplane import timeouts
from clauderon.proxy.dataplane.client import Client
from clauderon.proxy.dataplane.exchange import Exchange
from clauderon.proxy.http.fields import HeadError
from clauderon.proxy.http.framing import Chunked, FramingError, not_in_trailers
from clauderon.proxy.http.reply import parse_response
from clauderon.proxy.http.request import parse_request, split_target
from clauderon.proxy.net.upstream import Upstream
from tests.proxy.fuzz_stage import (
    HEADERS,
    REQUESTS,
    RESPONSES,
    TABLE,
    Seen,
    Stage,
    damaged,
    pieces,
)


def fuzz_head(rng: random.Random) -> None:
    """What we accept, llhttp accepts, and sees the same fields in it."""
    source = rng.choice(REQUESTS)
    head = damaged(rng, source).partition(b"\r\n\r\n")[0]
    try:
        parsed = parse_request(head + b"\r\n\r\n", TABLE)
    except HeadError:
        parsed = None
    if parsed is not None and parsed.method != b"CONNECT" and parsed.target.isascii():
        split_target(parsed.target)
        _compare(head, parsed.length, httptools.HttpRequestParser)
    answer = damaged(rng, rng.choice(RESPONSES)).partition(b"\r\n\r\n")[0]
    try:
        reply = parse_response(answer + b"\r\n\r\n", b"GET")
    except HeadError:
        return
    if reply.status != 101:
        _compare(answer, reply.length, httptools.HttpResponseParser)


def _compare(head: bytes, length: int, parser: Any) -> None:
    seen = Seen()
    try:
        parser(seen).feed_data(head + b"\r\n\r\n")
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        # It knows a fixed set of methods and no other; nothing else it refuses may pass.
        if "method" in str(error).lower() or "url" in str(error).lower():
            return
        raise AssertionError(f"llhttp refuses what we accept: {error}") from None
    lines = head.split(b"\r\n")[1:]
    ours = [(name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]
    theirs = [(name, value.strip(b" \t")) for name, value in seen.headers]
    assert ours == theirs, (ours, theirs)
    lengths = [value for name, value in ours if name.lower() == b"content-length"]
    assert length <= 0 or [length] == [int(value) for value in lengths]


def fuzz_chunks(rng: random.Random) -> None:
    """However it is cut, a body ends at the same byte or breaks; and it decodes to what llhttp decodes."""
    body = b""
    for _ in range(rng.randrange(4)):
        part = rng.randbytes(rng.choice((1, 2, 15, 16, 300)))
        extension = rng.choice((b"", b"", b";a=b;c", b';a="b \\" c"'))
        body += b"%x%b\r\n%b\r\n" % (len(part), extension, part)
    wire = damaged(rng, body + rng.choice((b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"00;x\r\n\r\n"))) + b"GET"
    whole = _ends_at(wire, [wire])
    cut = _ends_at(wire, pieces(rng, wire))
    assert whole == cut, (whole, cut)
    if whole is None or whole < 0:
        return
    seen = Seen()
    parser = httptools.HttpRequestParser(seen)
    try:
        parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + wire[:whole])
    except httptools.HttpParserError as error:
        raise AssertionError(f"llhttp refuses the chunks we accept: {error}") from None
    assert seen.messages == 1


def _ends_at(wire: bytes, cut: list[bytes]) -> int | None:
    """Where the body ends; -1 if it breaks, None if it does not end."""
    chunked = Chunked(not_in_trailers(HEADERS))
    at = 0
    for piece in cut:
        chunked.spans = [] if len(piece) % 2 else None
        try:
            used = chunked.feed(memoryview(piece))
        except FramingError:
            return -1
        assert 0 <= used <= len(piece)
        for first, last in chunked.spans or ():
            assert 0 <= first < last <= used
        at += used
        if chunked.done:
            return at
        assert used == len(piece)
    return None


def fuzz_relay(rng: random.Random) -> None:
    stage = Stage(rng)
    for _ in range(rng.randrange(1, 12)):
        stage.step()
        if stage.near.gone:
            break
    assert stage.client.closed or stage.client.mode >= timeouts.HEAD
    stage.end()


KINDS: dict[str, Callable[[random.Random], None]] = {
    "heads": fuzz_head,
    "chunks": fuzz_chunks,
    "relay": fuzz_relay,
}


def run(kind: str, iterations: int, seed: int) -> None:
    """Raises what was found, with the number that brings it back: `run(kind, 1, seed + number)`."""
    function = KINDS[kind]
    for number in range(iterations):
        try:
            function(random.Random(seed + number))
        except BaseException as error:
            error.add_note(f"scripts/fuzz --only {kind} --iterations 1 --seed {seed + number}")
            raise


def leftovers() -> int:
    """Objects of ended exchanges that something still holds."""
    gc.collect()
    return sum(isinstance(each, Exchange | Client | Upstream) for each in gc.get_objects())


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description="Throw damaged HTTP at the proxy, in memory."
    )
    parser.add_argument("--iterations", type=int, default=100_000, help="inputs in all (default: 100000)")
    parser.add_argument(
        "--seed", type=int, default=None, help="the first input's number (default: by the clock)"
    )
    parser.add_argument("--only", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    asked = parser.parse_args()
    seed = int(time.time()) * 1_000_000 if asked.seed is None else asked.seed
    kinds = asked.only.split(",")
    share = max(1, asked.iterations // len(kinds))
    for kind in kinds:
        start = time.monotonic()
        try:
            run(kind, share, seed)
        except Exception:  # noqa: BLE001, whatever it is, it is a finding
            traceback.print_exc()
            return 1
        print(f"{kind}: {share} inputs from {seed} in {time.monotonic() - start:.0f} s, nothing found")
    left = leftovers()
    if left:
        print(f"{left} objects were left behind", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
