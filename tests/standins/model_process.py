"""The model API's stand-in as a child process, for live tests: its address for `config.toml`, and what it saw."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("model_api.py")
HOSTS = (
    "api.anthropic.com",
    "api.openai.com",
    "chatgpt.com",
    "generativelanguage.googleapis.com",
    "cloudcode-pa.googleapis.com",
    "oauth2.googleapis.com",
    "api.githubcopilot.com",
    "api.github.com",
    "dashscope.aliyuncs.com",
)
# What the stand-in takes when it is told nothing else.
KEYS = {
    "ANTHROPIC_API_KEY": "sk-ant-test-not-a-real-key-0001",
    "OPENAI_API_KEY": "sk-test-not-a-real-key-0001",
    "GEMINI_API_KEY": "AIza-test-not-a-real-key-0001",
    "COPILOT_GITHUB_TOKEN": "github_pat_test_not_a_real_token_0001",
}
# Codex has every conversation named, by a request of its own that is a conversation of one turn.
ASIDE = "Generate a concise, single-line"
OAUTH_TOKEN = "sk-ant-oat01-test-not-a-real-token-0001"


@dataclass
class ModelApi:
    """A running stand-in."""

    port: int
    ca: Path
    record: Path

    @property
    def proxy_lines(self) -> str:
        """Lines for the `[proxy]` table that send the model hosts here."""
        to = ", ".join(f'"{host}:443" = "127.0.0.1:{self.port}"' for host in HOSTS)
        return f'upstream_ca = "{self.ca}"\nconnect_to = {{ {to} }}'

    def seen(self) -> list[dict[str, Any]]:
        """Every request so far, oldest first."""
        if not self.record.exists():
            return []
        lines = self.record.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def turns(self) -> list[dict[str, Any]]:
        """The requests that were answered from the script: one for each tool call and each closing text.

        What an agent asks beside the conversation, at a moment of its own choosing, is none of them.
        """
        return [
            fact
            for fact in self.seen()
            if fact.get("answer")
            and fact.get("tool")
            and fact.get("turn")
            and not fact.get("prompt", "").startswith(ASIDE)
        ]

    def wait_for(self, enough: Callable[[list[dict[str, Any]]], bool], *, timeout_s: float = 60.0) -> None:
        """Wait until `enough` of `turns` holds; AssertionError with what there was when the time is up."""
        deadline = time.monotonic() + timeout_s
        while not enough(self.turns()):
            if time.monotonic() > deadline:
                seen = [(f.get("path"), f.get("status"), f.get("turn"), f.get("answer")) for f in self.seen()]
                raise AssertionError(f"the model was not asked for what was expected; it saw {seen}")
            time.sleep(0.05)

    def wait_for_answer(self, turn: int) -> None:
        """Wait until the closing text of the user's prompt number `turn` was given."""
        self.wait_for(lambda seen: any(f["turn"] == turn and f["answer"] == "say" for f in seen))


@contextmanager
def model_api(directory: Path, *, script: Any = None, options: tuple[str, ...] = ()) -> Iterator[ModelApi]:
    """Run the stand-in. script: its steps (see `model_answers.Script.from_json`); options: further arguments."""
    directory.mkdir(parents=True, exist_ok=True)
    record = directory / "seen.jsonl"
    argv = [sys.executable, str(PROGRAM), "--directory", str(directory), "--record", str(record), *options]
    if script is not None:
        (directory / "script.json").write_text(json.dumps(script))
        argv += ["--script", str(directory / "script.json")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            ready = json.loads(child.stdout.readline())
            yield ModelApi(ready["port"], Path(ready["ca"]), record)
        finally:
            child.terminate()
