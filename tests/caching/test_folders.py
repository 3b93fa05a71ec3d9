"""The names of cargo's directories. The hashes are those that real cargos made: 1.65, 1.84 and 1.95."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from clauderon.caching import folders, lockfile


def test_crates_io_has_the_names_that_every_cargo_gives_it() -> None:
    names = folders.registry("registry+https://github.com/rust-lang/crates.io-index")
    for known in (
        "index.crates.io-1949cf8c6b5b557f",
        "index.crates.io-6f17d22bba15001f",
        "github.com-1ecc6299db9ec823",
    ):
        assert known in names


def test_a_sparse_registry_of_ones_own() -> None:
    assert "127.0.0.1-8aad19d8a6491609" in folders.registry("sparse+http://127.0.0.1:18999/index/")


def test_a_registry_of_files_has_no_host() -> None:
    assert "-a3042b4b9a1534bf" in folders.registry("registry+file:///world/index")


@given(st.from_regex(lockfile._URL), st.sampled_from(["", "[", "]", "[::1", "%5b"]), st.integers(0, 40))
@example("https://", "[", 8)
def test_what_only_looks_like_a_url_has_no_directory(url: str, piece: str, place: int) -> None:
    """`https://[x` in a Cargo.lock raised from the URL's parser: no session of it could be made, and none deleted."""
    url = url[:place] + piece + url[place:]
    assert len(folders.git(url)) in (0, 2)
    for kind in ("registry+", "sparse+"):
        folders.registry(kind + url)


def test_a_git_dependency() -> None:
    assert "other-721db9f872cb9d47" in folders.git("file:///tmp/other")


def test_github_is_one_repository_however_it_is_written() -> None:
    written = (
        "https://github.com/Owner/Repo",
        "https://github.com/owner/repo.git",
        "https://github.com/owner/repo/",
    )
    assert len({folders.git(url) for url in written}) == 1


@given(
    st.text(), st.sampled_from(["registry+", "sparse+", "registry+https://", "sparse+https://a/", "git://"])
)
def test_a_name_is_never_a_path(text: str, scheme: str) -> None:
    for name in (*folders.registry(scheme + text), *folders.git("https://h/" + text)):
        assert "/" not in name
        assert name not in (".", "..")
        assert name.isascii()
