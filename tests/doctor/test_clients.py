"""What a client's end and its words mean for `doctor --tls`."""

from __future__ import annotations

import subprocess

import pytest

from clauderon.doctor.clients import CLIENTS, judged

BY_NAME = {client.name: client for client in CLIENTS}


@pytest.mark.parametrize(
    ("name", "status", "said", "outcome", "found"),
    [
        ("curl", 0, "", "ok", "trusts the proxy"),
        ("curl", 60, "curl: (60) SSL certificate problem: unable to get local issuer", "fail", "does not trust"),
        ("curl", 6, "curl: (6) Could not resolve host: x", "fail", "does not use HTTPS_PROXY"),
        ("git", 128, "fatal: https://x/ not valid: is this a git repository?", "ok", "trusts"),
        ("git", 128, "fatal: server certificate verification failed. not found", "fail", "does not trust"),
        ("npm", 1, "npm error code E404", "ok", "trusts"),
        ("npm", 1, "npm error code SELF_SIGNED_CERT_IN_CHAIN", "fail", "does not trust"),
        ("Node.js fetch", 1, "ENOTFOUND getaddrinfo ENOTFOUND x", "fail", "does not use HTTPS_PROXY"),
        ("Go", 1, "x509: certificate signed by unknown authority", "fail", "does not trust"),
        ("Java", 1, "PKIX path building failed", "fail", "does not trust"),
        ("PHP", 3, "no curl extension", "warn", "cannot do TLS in this image"),
        ("Perl", 1, "IO::Socket::SSL 1.56 must be installed for https support", "warn", "cannot do TLS"),
        ("Perl", 255, "generic proxy URL must be in format http://h:p/\n at -e line 1.", "fail", "generic proxy"),
        ("wget", 4, "", "fail", "status 4"),
    ],
)  # fmt: skip
def test_words_and_status_are_understood(name: str, status: int, said: str, outcome: str, found: str) -> None:
    check = judged(BY_NAME[name], status, said)
    assert (check.outcome, found in check.found) == (outcome, True), check
    assert bool(check.mend) == (outcome == "fail")


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_each_script_is_one_that_sh_can_read(client: object) -> None:
    script = client.script  # type: ignore[attr-defined]
    done = subprocess.run(["sh", "-n", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
