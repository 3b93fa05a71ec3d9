#!/usr/bin/env bats
# What every command answers when it works, in every format, against a real engine: one session for all of them.
# shellcheck disable=SC2154,SC2086,SC2030,SC2031,SC2034 # `call` sets status, out and err; command lines are to be split
bats_require_minimum_version 1.11.0
load helpers

IMAGE=clauderon-test:busybox

# Keeps a block of ports for as long as it lives, by the live tests' own protocol, and says which one it is.
PORTS='import sys, time
sys.path.insert(0, sys.argv[1])
from tests.standins.engine import reserved_ports
with reserved_ports() as ports:
    print(ports[0], flush=True)
    time.sleep(3600)'

setup_file() {
    local host=${DOCKER_HOST-}
    docker version >/dev/null 2>&1 && docker image inspect $IMAGE >/dev/null 2>&1 || return 0
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR fresh_home
    [ -z "$host" ] || export DOCKER_HOST=$host
    python3 -c "$PORTS" "$BATS_TEST_DIRNAME/.." >"$BATS_FILE_TMPDIR/port" 3>&- &
    export PORTS_PID=$!
    until [ -s "$BATS_FILE_TMPDIR/port" ]; do sleep 0.1; done
    local first
    first=$(cat "$BATS_FILE_TMPDIR/port")
    export CLAUDERON_PROXY_PORT=$first CLAUDERON_SESSION_PORTS=$((first + 1))-$((first + 49))
    export CLAUDERON_DOCKER_NETWORK=clauderon-bats-$first CLAUDERON_DOCKER_IMAGE=$IMAGE
    # The session's container bears the network's name: `docker inspect` shows the container alone then.
    export NAME=bats-$first REPO=$BATS_FILE_TMPDIR/repo READY=1
    mkdir -p "$CLAUDERON_HOME"
    chmod 700 "$CLAUDERON_HOME"
    cat >"$CLAUDERON_HOME/config.toml" <<'TOML'
[general]
default_agent = "scripted"
[agents.scripted]
command = ["sh", "-c", "echo at work; echo 1 >file; exec sleep 3600"]
print_command = ["sh", "{prompt_file}"]
TOML
    git init -q -b main "$REPO"
    git -C "$REPO" config user.name Tester
    git -C "$REPO" config user.email tester@example.com
    git -C "$REPO" commit -q --allow-empty -m one
    clauderon create --quiet --repo "$REPO" --name "$NAME" --prompt 'Fix the bug' 3>&-
}

teardown_file() {
    [ -n "${READY-}" ] || return 0
    local name
    for name in $(clauderon list --archived --names); do
        clauderon delete --yes --quiet "$name"
    done
    clauderon proxy stop --quiet
    docker network rm "$CLAUDERON_DOCKER_NETWORK" >/dev/null
    kill "$PORTS_PID"
}

setup() {
    [ $# -gt 0 ] || return 1 # a test that was registered wrongly would pass without running
    [ -n "${READY-}" ] || skip 'no Docker engine answers, or the test images are missing (scripts/images)'
    cd "$BATS_TEST_TMPDIR" || return
}

# A command line, and what is true of its JSON answer. tsv is tried where the third field says so.
answers() {
    cat <<'TABLE'
list|[r['name'] for r in it['data']] == [@NAME] and it['data'][0]['state'] == 'running'|tsv
list --archived|len(it['data']) == 1|tsv
status @NAME|it['data']['branch'] == 'clauderon/' + @NAME and it['data']['uncommitted'] >= 0|tsv
sync @NAME|it['data']['outcome']|tsv
set-access-mode @NAME read-only|it['data']['access_mode'] == 'read-only'|tsv
start @NAME|it['data'][0]['name'] == @NAME|tsv
upload @NAME @FILE|it['data'][0]['path'].startswith('/workspace/.clauderon/uploads/')|tsv
reconcile --dry-run|it['data'] == []|tsv
reconcile|it['data'] == []|tsv
clean-cache|[v['volume'] for v in it['data']][:3] == ['clauderon-cargo-registry', 'clauderon-cargo-git', 'clauderon-sccache']|tsv
proxy start|it['data']['port'] == @PORT|tsv
proxy status|it['data']['port'] == @PORT and it['data']['sessions'][0]['name'] == @NAME|tsv
config show|any(r['origin'] == 'env CLAUDERON_PROXY_PORT' for r in it['data'])|tsv
doctor|all(r['outcome'] != 'fail' for r in it['data']) and any('reaches port' in r['found'] for r in it['data'])|tsv
archive @NAME|it['data'][0]['name'] == @NAME|tsv
unarchive @NAME|it['data'][0]['name'] == @NAME|tsv
start @NAME|it['data'][0]['name'] == @NAME|tsv
refresh @NAME --pull-policy never|it['data']['image_changed'] == False|tsv
stop @NAME|it['data'][0]['name'] == @NAME|tsv
merge @NAME|'commit' in it['data']|tsv
TABLE
}

register() {
    local my_words my_truth my_formats my_number=0
    while IFS='|' read -r my_words my_truth my_formats; do
        # The number makes two rows with the same words two tests.
        bats_test_function --description "answer: $my_words" \
            -- answer "$my_words" "$my_truth" "$my_formats" $((my_number += 1))
    done < <(answers)
}
register

answer() {
    local words=${1/@NAME/$NAME} truth=${2//@NAME/"'$NAME'"}
    printf 'uploaded\n' >upload.txt
    words=${words/@FILE/upload.txt}
    call clauderon $words --json
    has_status 0
    is_json "it['schema'] == 1 and it['ok'] and it['command'] == '${words%% *}' and (${truth//@PORT/$CLAUDERON_PROXY_PORT})"
    ! grep -qE '^clauderon:|Traceback' "$err" || fails 'expected no warning'
    call clauderon $words --quiet
    has_status 0
    ! grep -q $'\x1b' "$out" || fails 'an escape sequence in a file'
    [ "$3" = tsv ] || return 0
    call clauderon $words --quiet --format tsv
    has_status 0
    [ -s "$out" ] || [ "${words#reconcile}" != "$words" ] || fails 'expected an answer'
    case $words in status*) ;; *) is_tsv ;; esac
}

@test "create prints the name and nothing else" {
    call clauderon create --repo "$REPO" --prompt "Don't \$(touch pwned); --help" --idempotency-key "$BATS_TEST_NAME"
    has_status 0
    grep -qxE "don-t-touch-pwned-[a-z0-9]{4}" "$out" || fails 'expected a name made from the prompt'
    [ "$(wc -l <"$out")" -eq 1 ] || fails 'expected one line'
    [ ! -e pwned ]
    local first
    first=$(cat "$out")
    call clauderon create --repo "$REPO" --prompt "Don't \$(touch pwned); --help" --idempotency-key "$BATS_TEST_NAME" --json
    has_status 0
    is_json "it['data']['name'] == '$first' and it['data']['existing']"
    call clauderon create --repo "$REPO" --name "$first" --prompt x
    has_status 5
    says_nothing
    says_why
    call clauderon create --repo "$REPO" --name "$first" --prompt x --json
    is_error conflict 5
    call clauderon delete --yes "$first"
    has_status 0
}

@test "create --print is byte-exact and ends with the agent's status" {
    printf '#!/bin/sh\nprintf "\\000\\377\\r\\n no newline"; echo words >&2; exit 42' >prompt
    call clauderon create --print --quiet --repo "$REPO" --name "$NAME-print" --prompt-file prompt
    has_status 42
    printf '\000\377\r\n no newline' | cmp - "$out" || fails 'expected the bytes of the agent'
    grep -qx words "$err" || fails "expected the agent's stderr"
    # docker keeps text only.
    call clauderon logs "$NAME-print"
    grep -q 'no newline' "$out"
    call clauderon wait "$NAME-print" --format tsv
    has_status 42
    [ "$(cat "$out")" = "$NAME-print	42" ] || fails 'expected name and status'
    clauderon delete --yes --quiet "$NAME-print"
}

@test "create --print --json is one object with result and session" {
    stdin=prompt
    echo 'echo the answer; exit 3' >prompt
    call clauderon create --print --json --repo "$REPO" --name "$NAME-json" --prompt-file -
    has_status 3
    is_json "it['ok'] and it['data']['exit_status'] == 3 and it['data']['result'] == 'the answer\n' and it['data']['name'] == '$NAME-json'"
    call clauderon list --format tsv
    grep -q "^$NAME-json	failed	" "$out" || fails 'expected the session to be listed as failed'
    call clauderon list
    grep -q "^$NAME-json  *failed (3) " "$out" || fails 'expected the status of the failed agent'
    clauderon delete --yes --quiet "$NAME-json"
}

@test "create --print --timeout stops the agent and ends with 124" {
    for format in table json; do
        call clauderon create --print --quiet --format $format --timeout 1s --repo "$REPO" --name "$NAME-$format" --prompt 'echo begun; sleep 3600'
        has_status 124
        # 124 is 124 everywhere, for as long as the session is not started again.
        call clauderon status "$NAME-$format" --json
        is_json "it['data']['state'] == 'timed-out' and it['data']['exit_status'] == 124"
        call clauderon wait "$NAME-$format"
        has_status 124
    done
    call clauderon create --print --json --timeout 1s --repo "$REPO" --name "$NAME-late" --prompt 'echo begun; sleep 3600'
    has_status 124
    is_json "it['ok'] and it['data']['exit_status'] == 124 and it['data']['result'] == 'begun\n' and it['data']['cost_usd'] is None"
    # It said "the agent ended with status 124", as if that were the agent's own.
    local limit='its time limit of 1s was up, so it was stopped; no commits on'
    grep -qx "Session $NAME-late: $limit clauderon/$NAME-late." "$err" || fails 'expected what ended it'
    grep -q "^hint: clauderon start $NAME-late && clauderon logs -f $NAME-late " "$err" || fails 'expected what to type'
    clauderon delete --yes --quiet "$NAME-table" "$NAME-json" "$NAME-late"
}

@test "create --print with a key used before prints the answer of the first" {
    local again
    for again in no yes; do
        call clauderon create --print --quiet --repo "$REPO" --name "$NAME-key" --idempotency-key "$BATS_TEST_NAME" --prompt 'echo once >>runs; echo the answer; exit 3'
        has_status 3
        [ "$(cat "$out")" = 'the answer' ] || fails "again: $again"
    done
    call clauderon create --print --json --repo "$REPO" --name "$NAME-key" --idempotency-key "$BATS_TEST_NAME" --prompt 'echo once >>runs; echo the answer; exit 3'
    has_status 3
    is_json "it['data']['existing'] and it['data']['result'] == 'the answer\n' and it['data']['exit_status'] == 3"
    [ "$(cat "$(clauderon path worktree "$NAME-key")/runs")" = once ] || fails 'the agent ran again'
    clauderon delete --yes --quiet "$NAME-key"
}

@test "wait for several says each status and ends with the first that is not 0" {
    local one=$NAME-w1 two=$NAME-w2 three=$NAME-w3
    clauderon create --print --detach --quiet --repo "$REPO" --name "$one" --prompt 'exit 0'
    clauderon create --print --detach --quiet --repo "$REPO" --name "$two" --prompt 'sleep 1; exit 7'
    call clauderon wait --format tsv "$one" "$two"
    has_status 7
    [ "$(sort "$out")" = "$(printf '%s\t0\n%s\t7' "$one" "$two")" ] || fails 'expected a line each'
    clauderon create --print --detach --quiet --repo "$REPO" --name "$three" --prompt 'exec sleep 3600'
    for words in --any --first; do
        call clauderon wait $words --format tsv "$three" "$one"
        has_status 0
        [ "$(cat "$out")" = "$one	0" ] || fails 'expected the one that has ended'
    done
    call clauderon wait --json --timeout 1s "$two" "$three"
    has_status 124
    is_json "it['ok'] is False"
    is_json "it['data'] == [{'name': '$two', 'exit_status': 7}, {'name': '$three', 'exit_status': None}]"
    call clauderon wait --timeout 1s "$two" "$three"
    has_status 124
    grep -qx "Not ended within 1s: $three." "$err" || fails 'expected who is late'
    grep -qx "hint: clauderon wait $three   # or end: clauderon stop $three" "$err" || fails 'expected what to type'
    # Less than docker takes to say that the first two are long over.
    call clauderon wait --timeout 0.001s --format tsv "$one" "$two" "$three"
    has_status 124
    grep -qx "$one	0" "$out" || fails 'expected the one that has ended'
    grep -qx "$two	7" "$out" || fails 'expected the other one too'
    clauderon stop --quiet "$three"
    # shellcheck disable=SC2016 # for that shell
    call sh -eu -c '. "$(clauderon path sh)"; clauderon_wait "$@"' sh "$one" "$two"
    has_status 7
    grep -q "^$one" "$out" || fails 'expected both'
    grep -q "^$two" "$out" || fails 'expected both'
    clauderon delete --yes --quiet "$one" "$two" "$three"
}

@test "create --print --detach leaves the agent to itself, wait has its status" {
    call clauderon create --print --detach --quiet --repo "$REPO" --name "$NAME-one" --prompt 'sleep 1; exit 9'
    has_status 0
    [ "$(cat "$out")" = "$NAME-one" ]
    clauderon create --print --detach --quiet --repo "$REPO" --name "$NAME-two" --prompt 'exec sleep 3600'
    call clauderon wait --any --quiet "$NAME-one" "$NAME-two"
    has_status 9
    call clauderon wait --timeout 1s --quiet "$NAME-two"
    has_status 124
    clauderon delete --yes --quiet "$NAME-one" "$NAME-two"
}

@test "exec passes words, stdin, stdout, stderr and status through" {
    clauderon start --quiet "$NAME"
    printf 'in\000put' >input
    stdin=input
    call clauderon exec "$NAME" -- sh -c 'cat; printf "%s|" "$@" >&2; exit 7' sh 'a  b' "it's" '*' ''
    has_status 7
    cmp input "$out" || fails 'expected stdin on stdout'
    [ "$(cat "$err")" = "a  b|it's|*||" ] || fails 'expected the words'
    call clauderon exec "$NAME" sh -c 'echo "$@"; exit 3' sh --json -- --debug
    has_status 3
    [ "$(cat "$out")" = '--json -- --debug' ] || fails 'expected the options of the command'
    call clauderon exec "$NAME" -- nosuch-command
    has_status 127
    call clauderon exec "$NAME" -- /etc
    has_status 126
    call clauderon exec "$NAME-nosuch" -- true
    has_status 125
    says_why
    hints "clauderon status $NAME   # did you mean this one?"
}

@test "names that do not exist are status 3 with JSON too" {
    for words in 'status' 'start' 'stop' 'refresh' 'archive' 'unarchive' 'delete' 'sync' 'merge'; do
        call clauderon $words nosuch
        has_status 3
        says_nothing
        says_why
        call clauderon $words nosuch --json
        is_error no-such-session 3
    done
    for words in 'diff nosuch' 'logs nosuch' 'upload nosuch /etc/hostname' 'set-access-mode nosuch read-only'; do
        call clauderon $words
        has_status 3
        says_nothing
        says_why
    done
    for words in 'attach nosuch' 'shell nosuch' 'exec nosuch true' 'wait nosuch'; do
        call clauderon $words
        has_status 125
        says_nothing
        says_why
    done
}

@test "delete asks nobody without a terminal, and refuses what would interrupt work" {
    clauderon start --quiet "$NAME"
    call clauderon delete "$NAME"
    has_status 6
    says_nothing
    says_why
    call clauderon delete --json "$NAME"
    is_error refused 6
    call clauderon list --names
    [ "$(cat "$out")" = "$NAME" ]
}

@test "names end in NUL for xargs -0" {
    call clauderon list --names --null
    printf '%s\0' "$NAME" | cmp - "$out" || fails 'expected a NUL'
    call sh -c 'clauderon list --names -0 | xargs -0 -n1 clauderon status --json'
    is_json "it['data']['name'] == '$NAME'"
}

@test "a reader that goes away is quiet while the engine answers too" {
    for words in list "status $NAME" "logs $NAME" "diff $NAME" clean-cache 'proxy status'; do
        { clauderon $words --help >/dev/null && clauderon $words 2>"$BATS_TEST_TMPDIR/broken" || true; } | true
        ! grep -qE 'Traceback|Broken pipe|clauderon:' "$BATS_TEST_TMPDIR/broken" || { cat "$BATS_TEST_TMPDIR/broken" >&2 && false; }
    done
}

@test "logs, diff and the worktree show the agent's work" {
    clauderon start --quiet "$NAME"
    call clauderon exec "$NAME" -- sh -c 'until [ -e file ]; do sleep 0.1; done'
    has_status 0
    call clauderon logs "$NAME"
    has_status 0
    grep -q 'at work' "$out"
    call clauderon diff "$NAME"
    has_status 0
    is_silent
    grep -qx '+1' "$out" || fails 'expected the change'
    eval "$(clauderon env "$NAME")"
    [ "$(cat "$CLAUDERON_SESSION_WORKTREE/file")" = 1 ]
    [ "$(clauderon path worktree "$NAME")" = "$CLAUDERON_SESSION_WORKTREE" ]
}

@test "list --watch goes on until it is stopped" {
    status=0
    timeout -s INT 4 clauderon list --watch >watched 2>&1 || status=$?
    [ "$status" -eq 124 ] || [ "$status" -eq 130 ]
    [ "$(grep -c "^$NAME" watched)" -ge 2 ] || { cat watched >&2 && false; }
    ! grep -q Traceback watched || { cat watched >&2 && false; }
}

@test "attach without a name joins the only session" {
    clauderon start --quiet "$NAME"
    # script gives it the terminal that a person would have; ctrl-p ctrl-q leaves again.
    command -v script >/dev/null || skip 'script (bsdutils) is not installed'
    (
        sleep 3
        printf 'typed by a person\n'
        sleep 1
        printf '\020\021'
        sleep 2
    ) | timeout 60 script -qec 'clauderon attach' /dev/null >attached 2>&1 3>&- || status=$?
    out=attached err=/dev/null
    [ "${status:-0}" -eq 0 ] || fails 'expected to leave'
    # The terminal inside echoes what is typed.
    grep -q 'typed by a person' attached || fails "expected the agent's terminal"
    grep -q 'keeps running. hint: clauderon attach' attached || fails 'expected to have been attached'
    call clauderon list --format tsv
    grep -q "^$NAME	running" "$out" || fails 'expected the session to run on'
}
