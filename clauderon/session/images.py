"""Images a session can start from: what this engine has, and one of our own that is built here.

It makes images and writes one configuration value; it never starts a session.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from clauderon import files, proc
from clauderon.config.editing import set_value
from clauderon.docker import failures
from clauderon.docker.parse import Image
from clauderon.errors import BackendError, ClauderonError, CommandFailed, UsageError
from clauderon.grammar import image_problem
from clauderon.session import probe
from clauderon.session.context import Context

TAG = "clauderon:latest"
BASE = "debian:bookworm"
# An official image of Docker Hub that has git, curl, python3 and a compiler.
PUBLIC = "buildpack-deps:bookworm"
_PACKAGES = (
    "build-essential", "ca-certificates", "curl", "git", "jq", "less", "nodejs", "npm", "openssh-client", "procps",
    "python3", "python3-pip", "python3-venv", "ripgrep", "unzip", "wget", "xz-utils",
)  # fmt: skip
LANGUAGES = {
    "go": ("golang-go",),
    "java": ("default-jdk-headless", "maven"),
    "rust": ("cargo", "rustc", "sccache"),
}
# Looking into an image starts a container; a person who waits for an error should not wait for many.
_MOST_LOOKED_INTO = 6
_MOST_OFFERED = 3


def languages(text: str) -> tuple[str, ...]:
    """`rust,go` as names of LANGUAGES, each once. Raises UsageError."""
    wanted = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for word in wanted:
        if word not in LANGUAGES:
            raise UsageError(f"--with {text}", f"{word!r} is not one of {', '.join(LANGUAGES)}")
    return wanted


def check_name(flag: str, name: str) -> None:
    """Raises UsageError for what docker could not take as an image's name."""
    problem = image_problem(name)
    if problem is not None:
        raise UsageError(f"{flag} {name}", problem)


def dockerfile(base: str = BASE, extra: Collection[str] = ()) -> str:
    """The Dockerfile of our image. base: a Debian or Ubuntu image; extra: names of LANGUAGES."""
    packages = sorted({*_PACKAGES, *(package for name in extra for package in LANGUAGES[name])})
    listed = " \\\n        ".join(packages)
    return (
        "# What an agent expects to find: git, a compiler, Node.js, Python and the usual tools.\n"
        f"FROM {base}\n"
        "RUN apt-get update \\\n"
        "    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \\\n"
        f"        {listed} \\\n"
        "    && rm -rf /var/lib/apt/lists/*\n"
    )


def build(context: Context, text: str, tag: str) -> Image:
    """Build the Dockerfile `text` under the name `tag`. Raises BackendError with docker's last lines."""
    docker = context.docker
    with files.scratch("image") as place:
        (Path(place) / "Dockerfile").write_text(text)
        with context.report.progress(f"Building {tag}") as progress:

            def on_line(line: str) -> None:
                progress.update(text=line.strip())

            try:
                proc.stream(
                    docker.argv("build", f"--tag={tag}", "--", place),
                    env=docker.env, on_stdout=on_line, on_stderr=on_line,
                )  # fmt: skip
            except CommandFailed as failure:
                raise failures.explain(failure, f"build {tag}") from failure
    image = docker.image_inspect(tag)
    if image is None:
        raise BackendError(f"build {tag}", "docker built it and does not have it", hint="docker images")
    return image


def with_git(context: Context, session_id: str) -> list[str]:
    """Names of images on this engine that have git, newest first; at most three."""
    found: list[str] = []
    seen: set[str] = set()
    for name, image_id in context.docker.image_list():
        if image_id in seen:
            continue
        if len(seen) == _MOST_LOOKED_INTO or len(found) == _MOST_OFFERED:
            break
        seen.add(image_id)
        try:
            facts = probe.image_facts(context, session_id, image_id, quiet=True)
        except ClauderonError:
            continue  # it has no sh, or is another machine's
        if facts.has("git"):
            found.append(name)
    return found


def alternatives(context: Context, session_id: str) -> str:
    """The hint for an image that is not to be had: what works here, as something to type."""
    try:
        here = with_git(context, session_id)
    except ClauderonError:
        here = []
    if here:
        return f"{_create(here[0])}   # {_others(here)}"
    return f"clauderon image build   # or, where Docker Hub is reachable: {_create(PUBLIC)}"


def make_default(context: Context, tag: str) -> None:
    """Have every later session start from the image, by `[docker] default_image` in config.toml."""
    set_value(context.home, ("docker", "default_image"), tag)
    context.report.note(f"docker.default_image is {tag} now, in {context.home.config}.")


def _create(image: str) -> str:
    return f"clauderon create --image {shlex.quote(image)} ..."


def _others(here: Sequence[str]) -> str:
    also = f"{', '.join(here[1:])} too; " if here[1:] else ""
    return f"it is on this engine and has git; {also}or: clauderon image build"
