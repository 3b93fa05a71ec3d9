"""A directory that looks like a container's insides, with a program of the test's own as the agent."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clauderon.agents import launch
from clauderon.config.schema import Agent
from clauderon.record import Session

START = Path(launch.__file__).parent.parent / "share" / "start.sh"
CONVERSATION = "11111111-2222-4333-8444-555555555555"
SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}

# Records how it was called, leaves the conversation an agent would leave, and ends as it is told.
FAKE_AGENT = f"""#!{sys.executable}
import json, os, pathlib, signal, sys, time
root = pathlib.Path(os.environ["FAKE_ROOT"])
calls = root / "calls"
calls.mkdir(exist_ok=True)
stdin = sys.stdin.buffer.read() if os.environ.get("FAKE_STDIN") else b""
number = len(list(calls.iterdir()))
(calls / f"{{number:03}}").write_text(json.dumps({{
    "argv": [os.fsencode(word).decode("latin-1") for word in sys.argv[1:]],
    "stdin": stdin.decode("latin-1"),
    "activity": (root / "home/.clauderon/activity").read_text(),
    "cwd": os.getcwd(),
    "env": dict(os.environ),
    "sigint": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
}}))
for name in filter(None, os.environ.get("FAKE_LEAVES", "").split(":")):
    path = root / "home" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(os.environ["FAKE_TEXT"])
sys.stdout.write(os.environ.get("FAKE_SAYS", ""))
sys.stdout.flush()
if os.environ.get("FAKE_WAITS"):
    (root / "waiting").touch()
    time.sleep(60)
sys.exit(int(os.environ.get("FAKE_STATUS", "0")))
"""

CLAUDE_LOG = f".claude/projects/-workspace/{CONVERSATION}.jsonl"
ANSWERED = '{"type":"user"}\n{"parentUuid":"x","type":"assistant"}\n'


@dataclass
class Container:
    """A directory that looks like a container's insides, and the shell in it."""

    root: Path
    shell: list[str]
    path: str

    def write(self, session: Session, agent: Agent, prompt: bytes | None, *, uid: int | None = None) -> None:
        folder = self.root / "session"
        for made in (folder, self.root / "home" / ".clauderon", self.root / "workspace"):
            made.mkdir(parents=True, exist_ok=True)
        if prompt is not None:
            (folder / "prompt").write_bytes(prompt)
        inside = launch.Inside(*(str(self.root / name) for name in ("home", "workspace", "cargo")))
        program = [str(self.root / "agent")]
        text = launch.launch_file(
            session,
            agent,
            program=program,
            prompt_bytes=None if prompt is None else len(prompt),
            uid=uid,
            cargo_shared=uid is not None,
            sccache=str(self.root / "sccache"),
            inside=inside,
        )
        (folder / "launch").write_text(text)
        shutil.copy(START, folder / "start")
        script = self.root / "agent"
        script.write_text(FAKE_AGENT)
        script.chmod(0o755)

    def start(self, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
        argv, env = self._argv(), self._environ(environ)
        return subprocess.run(argv, env=env, input=stdin, capture_output=True, check=False)

    def started(self, **environ: str) -> subprocess.Popen[bytes]:
        """In a process group of its own, as under an init."""
        return subprocess.Popen(self._argv(), env=self._environ(environ), process_group=0)

    def _argv(self) -> list[str]:
        return [*self.shell, str(self.root / "session" / "start")]

    def _environ(self, environ: dict[str, str]) -> dict[str, str]:
        home = str(self.root / "home")
        return {
            "PATH": self.path,
            "HOME": home,
            "FAKE_ROOT": str(self.root),
            "TINI_KILL_PROCESS_GROUP": "1",
            **environ,
        }

    def calls(self) -> list[dict[str, object]]:
        import json

        folder = self.root / "calls"
        return [json.loads(file.read_text()) for file in sorted(folder.iterdir())] if folder.exists() else []

    def state(self, name: str) -> str:
        return (self.root / "home" / ".clauderon" / name).read_text().strip()


Make = Callable[..., Session]
Find = Callable[[str], Agent]


def as_sent(prompt: bytes) -> str:
    return prompt.decode("latin-1")
