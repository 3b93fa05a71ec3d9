"""A container cannot read a credential out of what the mask does, whatever it has its host return and however often."""

from __future__ import annotations

import gzip
import hmac
import random
import time
from collections.abc import Callable

import pytest

from clauderon.proxy.http import needles
from clauderon.proxy.http.needles import BITS, Needles
from tests.proxy.attacker import ALPHABET, CHANNELS, CODINGS, Attacker, World

BUDGET = 100_000
RANDOM = random.Random(7)


def _letters(number: int) -> str:
    return "".join(RANDOM.choice(ALPHABET) for _ in range(number))


# The public beginning, and how many letters nobody knows.
KINDS = {
    "github": ("ghp_", 36),
    "github, fine-grained": ("github_pat_11ABCDEFG0", 71),
    "anthropic": ("sk-ant-api03-", 93),
    "openai": (f"sk-{_letters(20)}T3BlbkFJ", 20),
    "a word and digits": ("corp-2024-", 24),
}


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Counts how often a text is compared with the secret itself: that takes time, which can be measured."""
    done = [0]
    compare = hmac.compare_digest

    def counted(*texts: bytes) -> bool:
        done[0] += 1
        return compare(*texts)

    monkeypatch.setattr(needles, "compare_digest", counted)
    return lambda: done[0]


def _attacker(
    kind: str, work: Callable[[], int], budget: int = BUDGET, streams: bool = False
) -> tuple[str, Attacker]:
    public, unknown = KINDS[kind]
    secrets = [public + _letters(unknown) for _ in range(3)]
    real, *own = (World(Needles(each, "x-access-token"), work, streams=streams) for each in secrets)
    return secrets[0], Attacker(real, own, public.encode(), budget)


def test_a_hundred_thousand_requests_tell_nothing_of_a_secret(work: Callable[[], int]) -> None:
    """With every way there is to have a guess come back; then with guesses of any length at any place.

    Seen to fail with the mask that kept back whatever began like the secret: the first round tells a letter.
    """
    for kind in KINDS:
        for streams in (False, True):
            _, attacker = _attacker(kind, work, BUDGET // (2 * len(KINDS)), streams)
            assert attacker.go_on() == b"", kind
            channels, codings = list(CHANNELS.values()), list(CODINGS.values())
            while attacker.budget > 0:
                guess = (
                    attacker.known[RANDOM.randrange(len(attacker.known)) :]
                    + _letters(RANDOM.randrange(90)).encode()
                )
                assert not attacker.tells(RANDOM.choice(channels)(RANDOM.choice(codings)(guess)))
            assert attacker.real.asked == BUDGET // (2 * len(KINDS))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ["from the front", "from the back", "from the middle"])
def test_nothing_is_told_before_eighty_bits_are_right(work: Callable[[], int], kind: str, end: str) -> None:
    """Whoever is given a part of the secret learns nothing from it, in any channel or coding, up to 80 bits.

    Seen to fail with pieces of half as many bits.
    """
    secret, attacker = _attacker(kind, work)
    unknown = secret[len(KINDS[kind][0]) :]
    right = BITS // 6  # letters, fewer than 80 bits of them
    middle = len(unknown) // 2 - right // 2
    part = {"from the front": unknown[:right], "from the back": unknown[-right:]}
    given = part.get(end, unknown[middle : middle + right]).encode()
    before = b"" if end != "from the front" else KINDS[kind][0].encode()
    for coded in CODINGS.values():
        for channel in CHANNELS.values():
            assert not attacker.tells(channel(coded(before + given)))
            assert not attacker.tells(channel(coded(b"xyz" + given + b"xyz")))


def test_the_whole_secret_is_told_so_that_the_attacker_is_not_blind(work: Callable[[], int]) -> None:
    for kind in KINDS:
        secret, attacker = _attacker(kind, work)
        for channel in (
            "a body cut behind the guess",
            "a trailer",
            "an interim head",
            "gzip, whole",
            "an event",
        ):
            for coding in ("plain", "basic", "base64, 1"):
                assert attacker.tells(CHANNELS[channel](CODINGS[coding](secret.encode()))), (
                    kind,
                    channel,
                    coding,
                )


def test_a_mask_that_keeps_back_what_begins_like_the_secret_is_read_out(
    work: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack itself works: this is what the defence prevents."""
    secret, attacker = _attacker("github", work)

    def begins(self: Needles, text: bytes) -> int:
        mine = secret.encode() if self is attacker.real.needles else b"-"
        tail = bytes(text)
        return max((size for size in range(8, len(mine)) if tail.endswith(mine[:size])), default=0)

    monkeypatch.setattr(Needles, "growing", begins)
    attacker.known += secret[4:8].encode()
    while attacker.go_on():
        pass
    # The last letters show in all they are tried with, as a piece of the secret is hit by then.
    assert secret.startswith(attacker.known.decode()) and len(attacker.known) >= len(secret) - 2
    assert attacker.budget > BUDGET // 2


def test_a_compressed_echo_shows_nothing_of_how_well_it_was_compressed(work: Callable[[], int]) -> None:
    """A host that compresses what it echoes beside a guess: a longer match makes a shorter body (BREACH).

    It is asked for no coding. One that compresses all the same is refused with the same words, whatever the guess, before
    anything passed. Seen to fail when the head, with the body's length, passed before the body was looked at.
    """
    secret, attacker = _attacker("github", work)
    views, lengths = set(), set()
    for known in range(4, 40, 4):
        text = b"guess=" + secret[:known].encode() + b"&key=" + secret.encode()
        (response,) = CHANNELS["gzip, whole"](text)
        begun = response.index(b"\r\n\r\n") + 14
        views.add(attacker.real.ask([response[:begun], response[begun:]])[:2])
        lengths.add(len(response))
    assert len(lengths) > 1, "the attack is one"
    assert len(views) == 1


@pytest.mark.parametrize("where", CHANNELS)
def test_no_text_is_compared_with_a_secret_that_was_not_hit(where: str, work: Callable[[], int]) -> None:
    """At any place: neither for its first or last letter, nor for as many as nobody guesses at once."""
    secret, attacker = _attacker("github", work)
    for letter in {secret[-1], secret[0], "%"}:
        attacker.real.ask(CHANNELS[where](letter.encode() * 5000))
    attacker.real.ask(CHANNELS[where](secret[:12].encode() * 400))
    attacker.real.ask(CHANNELS[where](secret[-12:].encode() * 400))
    assert work() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_how_long_a_look_takes_says_nothing(kind: str) -> None:
    """Seen to fail with `bytes.find`: 1 MiB of one letter took 108 us or 371 us, by whether it is the secret's last."""
    public, unknown = KINDS[kind]
    secret = (public + _letters(unknown)).encode()
    looking = Needles(secret.decode())
    others = [letter for letter in ALPHABET.encode() if letter not in secret[-20:]]
    texts = [
        bytes([secret[-1]]) * (1 << 20),
        bytes([others[0]]) * (1 << 20),
        secret[:12] * 90_000,
        secret[-12:] * 90_000,
    ]
    least = [_least_time_s(looking, text[: 1 << 20]) for text in texts]
    assert max(least) < 1.6 * min(least), least


def _least_time_s(looking: Needles, text: bytes) -> float:
    times = []
    for _ in range(15):
        begun = time.thread_time()
        looking.find(text)
        times.append(time.thread_time() - begun)
    return min(times)


@pytest.mark.parametrize("method", [b"HEAD", b"GET"])
def test_the_head_alone_of_a_compressed_echo_says_nothing_of_its_length(
    method: bytes, work: Callable[[], int]
) -> None:
    """HEAD, and 304, have the length of a body that never comes to be looked at. Seen to fail: the head passed.

    A host that was asked for no coding has none to name there.
    """
    secret, attacker = _attacker("github", work)
    views, lengths = set(), set()
    for known in range(4, 40, 4):
        body = gzip.compress(b"guess=" + secret[:known].encode() + b"&key=" + secret.encode(), mtime=0)
        lengths.add(len(body))
        status = b"200 OK" if method == b"HEAD" else b"304 Not Modified"
        fields = b"Content-Length: %d\r\nContent-Encoding: gzip\r\n" % len(body)
        views.add(attacker.real.ask([b"HTTP/1.1 %b\r\n%b\r\n" % (status, fields)], method))
    assert len(lengths) > 1, "the attack is one"
    assert len(views) == 1
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nContent-Encoding: identity\r\n\r\n"
    assert attacker.real.ask([plain], b"HEAD").sent == (plain,)
