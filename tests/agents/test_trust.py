"""Which files and variables carry our CA into a container."""

from __future__ import annotations

from pathlib import Path

from clauderon.agents.image import ImageFacts
from clauderon.agents.trust import trust_env, trust_mounts
from clauderon.paths import Home

HOME = Home(Path("/home/me/.clauderon"))


def test_every_bundle_of_the_image_is_covered_read_only() -> None:
    facts = ImageFacts(bundles=("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem"))
    mounts = trust_mounts(facts, HOME)
    covered = {m.target for m in mounts if m.source == str(HOME.ca_bundle)}
    assert covered == {*facts.bundles, "/etc/clauderon/ca-bundle.pem"}
    assert all(m.read_only for m in mounts)


def test_an_image_without_a_bundle_is_given_one() -> None:
    assert "/etc/ssl/certs/ca-certificates.crt" in {m.target for m in trust_mounts(ImageFacts(), HOME)}


def test_the_rows_of_the_page_have_the_pages_value() -> None:
    env = trust_env(3100)
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"):
        assert env[name] == "/etc/clauderon/proxy-ca.pem"


def test_what_replaces_a_tools_own_roots_holds_those_of_the_host_too() -> None:
    env = trust_env(3100)
    for name in ("CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO", "PIP_CERT", "AWS_CA_BUNDLE"):
        assert env[name] == "/etc/clauderon/ca-bundle.pem"


def test_java_is_told_of_the_proxy_too() -> None:
    assert "-Dhttps.proxyPort=3123" in trust_env(3123)["JAVA_TOOL_OPTIONS"].split()
