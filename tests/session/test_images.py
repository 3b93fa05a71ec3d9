"""The image that is built here, and what is offered where an image is not to be had."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clauderon import config
from clauderon.docker import Docker
from clauderon.errors import BackendError, UsageError
from clauderon.output import Output
from clauderon.paths import Home
from clauderon.session import images
from clauderon.session.context import Context
from clauderon.store import Store

ENGINE = """\
#!/bin/sh
case "$1 $2" in
"image ls")
    echo '{"Repository":"newest","Tag":"1","ID":"sha256:aaa"}'
    echo '{"Repository":"same","Tag":"1","ID":"sha256:aaa"}'
    echo '{"Repository":"bare","Tag":"1","ID":"sha256:bbb"}'
    echo '{"Repository":"<none>","Tag":"<none>","ID":"sha256:ccc"}'
    echo '{"Repository":"a b","Tag":"1","ID":"sha256:ddd"}'
    ;;
"run -i")
    echo clauderon-probe=1
    case "$*" in *sha256:bbb*) ;; *) echo program.git=/usr/bin/git ;; esac
    ;;
esac
"""


@pytest.fixture
def context(home: Home, tmp_path: Path) -> Iterator[Context]:
    """With an engine that has three images, one of them without git."""
    program = tmp_path / "engine"
    program.write_text(ENGINE)
    program.chmod(0o755)
    settings = config.defaults()
    with Store.open(home) as store:
        yield Context(home, settings, os.environ, Docker(str(program), "", os.environ), store, Output())


def test_the_dockerfile_installs_what_was_asked_for_and_each_package_once() -> None:
    text = images.dockerfile("ubuntu:24.04", images.languages("rust,go,rust"))
    assert text.splitlines()[1] == "FROM ubuntu:24.04"
    words = text.split()
    for package in ("git", "ripgrep", "cargo", "golang-go"):
        assert words.count(package) == 1, package
    assert "maven" not in words


@pytest.mark.parametrize("text", ["", "perl", "rust,,go", "--privileged"])
def test_a_language_that_is_not_known_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        images.languages(text)


@pytest.mark.parametrize("name", ["", "-x", "a/B", "a b", "$(id)"])
def test_a_name_docker_could_not_take_is_refused_before_anything_is_built(name: str) -> None:
    with pytest.raises(UsageError):
        images.check_name("--tag", name)


def test_the_images_that_have_git_are_offered_newest_first(context: Context) -> None:
    assert images.with_git(context, "0123456789ab") == ["newest:1", "a b:1"]
    hint = images.alternatives(context, "0123456789ab")
    assert hint.startswith("clauderon create --image newest:1 ...") and "clauderon image build" in hint


def test_without_an_image_that_has_git_the_offer_is_to_build_one(context: Context, tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("#!/bin/sh\nexit 0\n")
    hint = images.alternatives(context, "0123456789ab")
    assert hint.startswith("clauderon image build") and images.PUBLIC in hint


def test_an_engine_that_fails_is_no_reason_to_offer_nothing(context: Context, tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("#!/bin/sh\nexit 1\n")
    assert images.alternatives(context, "0123456789ab").startswith("clauderon image build")


def test_a_build_that_fails_says_what_docker_said(context: Context, tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("#!/bin/sh\necho 'no such package' >&2\nexit 1\n")
    with pytest.raises(BackendError) as failed:
        images.build(context, images.dockerfile(), "mine:1")
    assert "no such package" in failed.value.detail


def test_a_default_is_written_where_later_sessions_read_it(context: Context) -> None:
    images.make_default(context, "mine:1")
    assert config.load(context.home, {}).docker.default_image == "mine:1"
