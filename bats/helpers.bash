# What the bats files share: a home of the test's own, and words for what a command must keep to.
# shellcheck shell=bash

# A fresh state directory and nothing of the person's environment.
fresh_home() {
    local name
    while IFS= read -r name; do
        unset "$name"
    done < <(compgen -e | grep -E '^(CLAUDERON_|GIT_|NO_COLOR|CLICOLOR|ANTHROPIC_|OPENAI_|GEMINI_|GITHUB_|GH_)' || true)
    export HOME=$BATS_TEST_TMPDIR/user CLAUDERON_HOME=$BATS_TEST_TMPDIR/user/.clauderon
    export LC_ALL=C.UTF-8 TERM=dumb GIT_CONFIG_NOSYSTEM=1
    # Not the person's own; a test that starts a proxy stops it (`no_proxy_left`).
    export CLAUDERON_PROXY_PORT=$((20000 + RANDOM % 11000))
    mkdir -p "$HOME"
    cd "$BATS_TEST_TMPDIR" || return
}

no_proxy_left() {
    [ ! -e "$BATS_TEST_TMPDIR/user/.clauderon/locks/proxy.lock" ] ||
        CLAUDERON_HOME=$BATS_TEST_TMPDIR/user/.clauderon clauderon proxy stop --quiet
}

# Nobody listens where docker is told to look; without docker, a program that says what docker says then.
engine_down() {
    export DOCKER_HOST=unix:///nonexistent/docker.sock
    unset DOCKER_CONTEXT
    command -v docker >/dev/null && return
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    cat >"$BATS_TEST_TMPDIR/bin/docker" <<'DOCKER'
#!/bin/sh
echo "Cannot connect to the Docker daemon at $DOCKER_HOST. Is the docker daemon running?" >&2
exit 1
DOCKER
    chmod +x "$BATS_TEST_TMPDIR/bin/docker"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# Run a command with an empty stdin; sets status, out and err (files, so that no byte is lost). Never hangs.
call() {
    out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err status=0
    timeout 60 "$@" <"${stdin:-/dev/null}" >"$out" 2>"$err" || status=$?
}

fails() {
    printf '%s\n' "$*" "status ${status-}" 'stdout:' >&2
    cat "$out" >&2
    echo 'stderr:' >&2
    cat "$err" >&2
    return 1
}

has_status() { [ "$status" -eq "$1" ] || fails "expected status $1"; }
is_silent() { [ ! -s "$err" ] || fails 'expected nothing on stderr'; }
says_nothing() { [ ! -s "$out" ] || fails 'expected nothing on stdout'; }

# The form of every failure: what and why once, after whatever progress was said; no traceback anywhere.
says_why() {
    [ "$(grep -v '^clauderon: warning: ' "$err" | grep -cE '^clauderon: .+: .+')" -eq 1 ] || fails 'expected "clauderon: what: why"'
    ! grep -q Traceback "$err" || fails 'a traceback'
}

hints() { grep -qxF "hint: $1" "$err" || fails "expected the hint: $1"; }

# stdout is one JSON document that the expression (python, over `it`) is true of.
is_json() {
    python3 -c 'import json, sys
it = json.load(open(sys.argv[1], encoding="utf-8"))
sys.exit(not eval(sys.argv[2]))' "$out" "$1" || fails "expected JSON of which this is true: $1"
}

# An envelope of a failure with this code and exit status.
is_error() { is_json "it['schema'] == 1 and not it['ok'] and it['error']['code'] == '$1' and it['error']['exit_status'] == $2 and it['error']['what'] and it['error']['why']"; }

# No terminal colour, and every line has as many tabs as the first.
is_tsv() {
    ! grep -q $'\x1b' "$out" || fails 'an escape sequence in tsv'
    awk -F'\t' 'NR == 1 { n = NF } NF != n { exit 1 }' "$out" || fails 'lines of different width'
}
