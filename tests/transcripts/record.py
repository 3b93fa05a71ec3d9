"""`scripts/record` and `scripts/drift`: play scenarios against a private engine; write or compare what it said.

The engine lives in a network namespace with addresses of its own, so that every recording finds the same networks,
volumes and ports, and nothing of the machine's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.transcripts import format as transcript_format
from tests.transcripts import placeholders
from tests.transcripts.format import Entry, Transcript
from tests.transcripts.recorder import Recorder, real_tools
from tests.transcripts.replayer import Replayer, load
from tests.transcripts.scenario import RECORDINGS, SECRETS, EngineState, Scenario, Scene, all_scenarios

ROOT = Path(__file__).resolve().parent.parent.parent
# The addresses of the recording engine: a range for benchmarks, so on no machine the host's own.
POOL = "base=198.18.0.0/16,size=24"
NOBODY = 65534


@contextlib.contextmanager
def private_engine(directory: Path) -> Iterator[str]:
    """A fresh engine with the small image, in a network namespace; yields its DOCKER_HOST."""
    namespace = f"cldn-record-{os.getpid()}"
    inside = ["ip", "netns", "exec", namespace]
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    try:
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
        start = [
            *inside,
            str(ROOT / "scripts/engine"),
            "start",
            str(directory),
            f"--default-address-pool={POOL}",
        ]
        answer = subprocess.run(start, check=True, capture_output=True, text=True).stdout
        host = answer.strip().removeprefix("DOCKER_HOST=")
        subprocess.run(
            [ROOT / "scripts/images", "busybox"], env={**os.environ, "DOCKER_HOST": host}, check=True
        )
        yield host
    finally:
        subprocess.run([*inside, ROOT / "scripts/engine", "stop", directory], check=False)
        subprocess.run(["ip", "netns", "delete", namespace], check=False)


def wipe(host: str) -> None:
    """Leave the private engine as it was made: images only."""
    env = {**os.environ, "DOCKER_HOST": host}

    def docker(*argv: str) -> list[str]:
        return subprocess.run(
            ["docker", *argv], env=env, capture_output=True, text=True, check=True
        ).stdout.split()

    containers = docker("ps", "-aq")
    if containers:
        docker("rm", "-f", "-v", *containers)
    volumes = docker("volume", "ls", "-q")
    if volumes:
        docker("volume", "rm", *volumes)
    docker("network", "prune", "-f")


def versions(host: str) -> str:
    env = {**os.environ, "DOCKER_HOST": host}
    template = "docker client {{.Client.Version}}, engine {{.Server.Version}}"
    docker = subprocess.run(
        ["docker", "version", "--format", template], env=env, capture_output=True, text=True, check=True
    )
    git = subprocess.run(["git", "version"], capture_output=True, text=True, check=True)
    return f"{docker.stdout.strip()}; {git.stdout.strip()}"


def record(one: Scenario, host: str, engine_dir: Path) -> Transcript:
    """Play one scenario against the engine. Raises what the scenario raises."""
    path = os.environ["PATH"]
    wipe(host)
    with tempfile.TemporaryDirectory(prefix="cldn-scene-") as directory:
        work, bin_dir = Path(directory).resolve() / "work", Path(directory).resolve() / "bin"
        Path(directory).chmod(0o755)
        recorder = Recorder(
            bin_dir,
            real_tools(path),
            (*SECRETS.values(), *person_secrets()),
            {"WORK": str(work), "ENGINE": str(engine_dir), "AGENTS": placeholders.PROGRAMS},
            compared=one.real,
        )

        def engine_is(state: EngineState) -> None:
            nobody = f"unix://{engine_dir / 'nobody-listens.sock'}"
            settings = {
                "DOCKER_HOST": nobody if state == "down" else host,
                "DOCKER_CONFIG": f"{work}/user/.docker",
            }
            recorder.order({"docker": settings}, NOBODY if state == "denied" else None)

        engine_is(one.engine)
        scene = Scene(work, bin_dir, path, recording=True, docker_host=host, engine_is=engine_is)
        with recorder.running(), contextlib.chdir(work):
            one.play(scene)
        header = {
            "scenario": one.name,
            "recorded": f"scripts/record {one.name}",
            "with": versions(host),
        }
        if one.real:
            header["real"] = " ".join(one.real)
        if not one.after:
            return recorder.transcript(header)
        return _begun(recorder.transcript({**header, "after": one.after}), one)


def _begun(transcript: Transcript, one: Scenario) -> Transcript:
    """`transcript` without the calls of the scenario that it begins with. Raises AssertionError if it does not."""
    first = load(one.path.with_stem(one.after)).entries
    for ordinal, (mine, theirs) in enumerate(zip(transcript.entries, first, strict=False), 1):
        assert mine == theirs, (
            f"call {ordinal} is not that of {one.after}; record that one first, or take `after` away:\n"
            f"{_line(mine)}\n{mine}\n{theirs}"
        )
    assert len(transcript.entries) >= len(first), f"shorter than {one.after}"
    return dataclasses.replace(transcript, shared=len(first))


def person_secrets() -> list[str]:
    """Whatever in the recording person's own environment looks like a credential."""
    marks = ("TOKEN", "SECRET", "PASSWORD", "API_KEY")
    return [value for name, value in os.environ.items() if any(mark in name.upper() for mark in marks)]


def replay(one: Scenario, path: Path) -> None:
    """Play one scenario from a transcript. Raises AssertionError for anything that is not as recorded."""
    with tempfile.TemporaryDirectory(prefix="cldn-replay-") as directory:
        base = Path(directory).resolve()
        play_from(one, path, base, os.environ["PATH"])


def play_from(one: Scenario, path: Path, base: Path, search_path: str) -> None:
    """base: an empty directory to play in."""
    work, bin_dir = base / "work", base / "bin"
    fixed = {"WORK": str(work), "ENGINE": str(base / "engine"), "AGENTS": placeholders.PROGRAMS}
    replayer = Replayer(path, bin_dir, fixed, search_path)
    try:
        scene = Scene(work, bin_dir, search_path)
        with contextlib.chdir(work):
            one.play(scene)
    finally:
        replayer.check()


def differences(old: Transcript, new: Transcript) -> list[str]:
    """What changed between two recordings that a reader must know of: argv, order, status, the shape of JSON."""
    if len(old.entries) != len(new.entries):
        return [f"{len(old.entries)} calls became {len(new.entries)}"]
    found = []
    for ordinal, (before, after) in enumerate(zip(old.entries, new.entries, strict=True), 1):
        for what, was, now in (
            ("argv", _line(before), _line(after)),
            ("directory", before.cwd, after.cwd),
            ("environment", before.env, after.env),
            ("order", before.after, after.after),
            ("status", before.outcome, after.outcome),
            ("shape of the answer", _shape(before), _shape(after)),
        ):
            if was != now:
                found.append(f"call {ordinal} ({_line(before)[:60]}): {what}: {was} became {now}")
    return found


def _line(entry: Entry) -> str:
    return " ".join(placeholders.show(word) for word in entry.argv)


def _shape(entry: Entry) -> Any:
    """The JSON structure of an answer's lines: keys and types; for other text, whether there is any."""
    lines = "".join(p if isinstance(p, str) else "0" for p in entry.stdout).splitlines()
    try:
        return [_type(json.loads(line)) for line in lines]
    except ValueError:
        return bool(lines)


def _type(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _type(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_type(value[0])] if value else []
    return type(value).__name__


def chosen(names: list[str]) -> list[Scenario]:
    known = {name: one for name, one in all_scenarios().items() if not one.fault}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"no scenario {unknown[0]}; there are: {', '.join(known)}")
    # First those that others begin with.
    return sorted((known[name] for name in names or known), key=lambda one: bool(one.after))


def main(arguments: list[str]) -> int:
    verb, *names = arguments
    if os.getuid() != 0 or shutil.which("dockerd") is None or shutil.which("ip") is None:
        print(f"{verb}: skipped: a private engine needs root, dockerd and ip", flush=True)
        return 0 if verb == "drift" else 1
    failed = 0
    # Ended by a signal, it must still end its engine.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="cldn-eng-") as directory:
        engine_dir = Path(directory) / "engine"
        with private_engine(engine_dir) as host:
            for one in chosen(names):
                try:
                    said = (
                        _record_one(one, host, engine_dir)
                        if verb == "record"
                        else _drift_one(one, host, engine_dir)
                    )
                except Exception as error:  # noqa: BLE001 - the other scenarios are still to be played
                    said = f"FAILED: {type(error).__name__}: {error}\n{traceback.format_exc(limit=-3)}"
                failed += not said.startswith("ok")
                print(f"{verb} {one.name}: {said}", flush=True)
    return 1 if failed else 0


def _record_one(one: Scenario, host: str, engine_dir: Path) -> str:
    transcript = record(one, host, engine_dir)
    RECORDINGS.mkdir(exist_ok=True)
    aside = one.path.with_name(f".{one.path.name}")
    aside.write_text(transcript_format.render(transcript))
    try:
        # What was just recorded must also replay; only then does it take the old one's place.
        replay(one, aside)
    except BaseException:
        print(aside.read_text()[-6000:], file=sys.stderr)
        aside.unlink()
        raise
    aside.replace(one.path)
    return f"ok, {len(transcript.entries)} calls"


def _drift_one(one: Scenario, host: str, engine_dir: Path) -> str:
    old = load(one.path)
    found = differences(old, record(one, host, engine_dir))
    return "\n  ".join(["changed", *found]) if found else f"ok, {len(old.entries)} calls"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
