#!/usr/bin/env bats
# What holds for every command whatever it does: help, streams, formats, colour. Needs no engine.
# shellcheck disable=SC2154,SC2086,SC2030,SC2031 # `call` sets status, out and err; command lines are to be split
bats_require_minimum_version 1.11.0
load helpers

COMMANDS='create list status start stop refresh archive unarchive delete set-access-mode attach shell exec logs wait
upload sync diff merge reconcile clean-cache top dashboard report usage budget events doctor env path shell-init image:build network:check network:suggest network:allow network:deny rescue:list rescue:show rescue:restore rescue:drop proxy:run proxy:start proxy:stop proxy:status
proxy:log config:show config:paths config:env config:init config:credentials secret:set secret:list secret:rm'

register() {
    local my_command
    for my_command in $COMMANDS; do
        bats_test_function --description "help: ${my_command/:/ }" -- help_of "$my_command"
    done
}
register

setup() {
    [ $# -gt 0 ] || return 1 # a test that was registered wrongly would pass without running
    fresh_home
    engine_down
}

teardown() { no_proxy_left; }

help_of() {
    call clauderon ${1/:/ } --help
    has_status 0
    is_silent
    grep -q "^Usage: clauderon ${1/:/ }" "$out" || fails 'expected the usage'
    grep -q '^ *Example: clauderon\|^ *Example: .*clauderon' "$out" || fails 'expected an example'
    ! grep -q $'\x1b\|╭' "$out" || fails 'colour or boxes in a file'
    [ ! -e "$CLAUDERON_HOME" ] || fails 'help made a state directory'
}

@test "the groups of commands have an example each" {
    for group in proxy config; do
        call clauderon $group --help
        has_status 0
        grep -q "^ *Example: clauderon $group " "$out" || fails 'expected an example'
    done
    call clauderon --help
    ! grep -q Example: "$out" || fails 'an example in the list of commands'
}

@test "a time that is none is hinted at in the command it was given to" {
    call clauderon wait fix-bug --timeout x
    has_status 125
    hints 'clauderon wait --timeout 30m ...'
}

@test "help lists every command" {
    call clauderon --help
    has_status 0
    is_silent
    for command in $COMMANDS; do
        grep -qE "^ +${command%%:*}\b" "$out" || fails "expected ${command%%:*}"
    done
}

@test "no command at all is a question for help" {
    call clauderon
    has_status 0
    is_silent
    grep -q '^Usage: clauderon' "$out" || fails 'expected the help'
}

@test "a misspelt command names the nearest" {
    call clauderon crate
    has_status 2
    says_nothing
    says_why
    hints 'clauderon create   # did you mean this?'
}

@test "what is misspelt names the nearest, as a command to type" {
    while IFS='|' read -r words nearest; do
        call clauderon $words
        case $words in wait*) has_status 125 ;; *) has_status 2 ;; esac
        says_nothing
        says_why
        hints "$nearest"
        ! grep -i 'mean' "$err" | grep -v '^hint: ' || fails 'expected the nearest in the hint alone'
    done <<'WORDS'
create --promt x|clauderon create --prompt   # did you mean this?
create --prompt x --agnet y|clauderon create --agent   # did you mean this?
wait one --tiemout 3s|clauderon wait --timeout   # did you mean this?
--verson list|clauderon --version   # did you mean this?
logs one --jsn|clauderon logs --help
proxy stat|clauderon proxy start   # did you mean this?
proxy logs|clauderon proxy log   # did you mean this?
config shw|clauderon config show   # did you mean this?
config nonsense|clauderon config --help
lst|clauderon list   # did you mean this?
nonsense|clauderon --help
list extra|clauderon list --help
WORDS
}

@test "--version is one line on stdout" {
    call clauderon --version
    has_status 0
    is_silent
    grep -qxE 'clauderon [0-9]+\.[0-9]+\.[0-9]+.*' "$out"
    [ "$(wc -l <"$out")" -eq 1 ]
}

@test "an unknown format is refused, in words" {
    call clauderon config show --format xml
    has_status 2
    says_nothing
    says_why
}

@test "every configuration command speaks table, tsv and JSON" {
    for words in 'config show' 'config paths' 'config env' 'config credentials'; do
        call clauderon $words
        has_status 0
        is_silent
        call clauderon $words --format tsv
        has_status 0
        is_silent
        is_tsv
        ! head -n 1 "$out" | grep -q '^KEY\|^NAME\|^VARIABLE' || fails 'a header in tsv'
        for json in --json '--format json' '--format=json'; do
            call clauderon $words $json
            has_status 0
            is_silent
            is_json "it['schema'] == 1 and it['ok'] and it['command'] == 'config' and it['data']"
        done
    done
}

@test "what is done is said as tsv and JSON, and to a person by the status" {
    call clauderon proxy stop
    has_status 0
    says_nothing
    call clauderon proxy stop --format tsv
    has_status 0
    [ "$(cat "$out")" = 'stopped	no' ] || fails 'expected a record'
    call clauderon config init --format tsv
    [ "$(cat "$out")" = "$CLAUDERON_HOME/config.toml" ] || fails 'expected the path'
}

@test "config init writes once, and says where" {
    call clauderon config init
    has_status 0
    [ "$(cat "$out")" = "$CLAUDERON_HOME/config.toml" ] || fails 'expected the path'
    call env -u CLAUDERON_PROXY_PORT clauderon config show --json
    is_json "all(row['origin'] == 'default' for row in it['data'])"
    call clauderon config init
    has_status 5
    says_nothing
    says_why
    hints 'clauderon config init --force'
    call clauderon config init --json
    is_error conflict 5
    call clauderon config init --force --json
    has_status 0
    is_json "it['ok']"
}

@test "a proxy that is not running is said to be so" {
    call clauderon proxy status
    has_status 4
    says_why
    hints 'clauderon proxy start'
    call clauderon proxy status --json
    is_error backend 4
    call clauderon proxy stop
    has_status 0
    call clauderon proxy stop --json
    is_json "it['data'] == {'stopped': False}"
}

@test "doctor finds the engine down and goes on" {
    call clauderon doctor --json
    has_status 1
    is_json "{r['check']: r['mend'] for r in it['data'] if r['outcome'] == 'fail'} == {'engine': 'unset DOCKER_HOST'}"
    is_json "it['ok'] is False"
    call clauderon doctor
    has_status 1
    grep -q 'hint: unset DOCKER_HOST' "$out" || fails 'expected the command that mends it'
}

@test "doctor works with a broken configuration and says where it is broken" {
    mkdir -p "$CLAUDERON_HOME"
    chmod 700 "$CLAUDERON_HOME"
    echo '[docker' >"$CLAUDERON_HOME/config.toml"
    call clauderon doctor --json
    has_status 1
    is_json "any(r['check'] == 'configuration' and 'config.toml:1:8' in r['found'] and '+1 ' in r['mend'] for r in it['data'])"
}

@test "formats that exclude each other are refused" {
    for words in '--json --format tsv' '--json --null' '--format json -0'; do
        call clauderon list $words
        has_status 2
        says_why
    done
}

@test "quiet silences progress, not failures" {
    call clauderon doctor --quiet
    is_silent
    call clauderon list --quiet
    has_status 4
    says_why
}

@test "a reader that goes away ends the command without a word" {
    for words in 'config show' 'config env --json' '--help' 'path sh' 'shell-init bash' 'doctor' 'env nosuch' 'config show --format tsv'; do
        { clauderon $words 2>"$BATS_TEST_TMPDIR/broken" || true; } | true
        ! grep -qv '^clauderon: session nosuch\|^hint: clauderon list\|^Looking at' "$BATS_TEST_TMPDIR/broken" || {
            echo "$words" >&2
            cat "$BATS_TEST_TMPDIR/broken" >&2
            return 1
        }
    done
}

@test "a full disk behind stdout is a failure, not a traceback" {
    [ -e /dev/full ] || skip 'there is no /dev/full here'
    for words in 'config show' 'config show --json' 'path sh' '--version' 'shell-init' '--help'; do
        status=0
        clauderon $words >/dev/full 2>"$BATS_TEST_TMPDIR/err" || status=$?
        err=$BATS_TEST_TMPDIR/err out=/dev/null
        [ "$status" -ne 0 ] || fails "$words: expected a failure"
        ! grep -q Traceback "$err" || fails "$words: a traceback"
        grep -qi 'no space left' "$err" || fails "$words: expected the reason"
    done
}

@test "a state directory that cannot be is a failure with words, not a bug" {
    touch a-file
    for home in a-file a-file/home /proc/nosuch; do
        export CLAUDERON_HOME=$home
        for words in list 'create --prompt x' 'config init' 'config show' 'proxy start' 'proxy log' reconcile 'sync x' 'upload x a-file'; do
            call clauderon $words
            [ "$status" -ne 70 ] || fails "$home, $words: a bug"
            case $status in 0) ;; *) says_why ;; esac
            call clauderon $words --json
            case $status in 0) ;; *) is_json "it['error']['code'] in ('failed', 'usage', 'backend') and it['error']['hint']" ;; esac
        done
        call clauderon doctor --json
        has_status 1
        is_silent
    done
}

@test "a full disk behind the state directory is a failure with words" {
    [ "$(id -u)" = 0 ] || skip 'only root can mount a disk that is full'
    mkdir -p "$CLAUDERON_HOME"
    mount -t tmpfs -o size=32k clauderon-full "$CLAUDERON_HOME" || skip 'nothing can be mounted here'
    head -c 64k /dev/zero >"$CLAUDERON_HOME/fill" 2>/dev/null || :
    call clauderon config init
    umount "$CLAUDERON_HOME"
    has_status 1
    says_nothing
    says_why
    grep -q 'no space left on device' "$err" || fails 'expected the reason'
    hints 'clauderon doctor'
}

@test "closed streams neither hang nor break anything" {
    for words in 'config paths' 'list' 'status x' 'create --prompt x' 'create --prompt-file -' 'exec x -- true' 'delete x' 'doctor' 'path sh'; do
        local closed=0 open=0
        timeout 60 clauderon $words </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/open" || open=$?
        timeout 60 clauderon $words <&- >/dev/null 2>"$BATS_TEST_TMPDIR/closed" || closed=$?
        [ "$closed" -eq "$open" ] || { echo "$words: $open with an empty stdin, $closed with a closed one" >&2 && false; }
        diff "$BATS_TEST_TMPDIR/open" "$BATS_TEST_TMPDIR/closed"
        closed=0
        timeout 60 clauderon $words <&- >&- 2>&- || closed=$?
        [ "$closed" -eq "$open" ] || { echo "$words: $open before, $closed with all three closed" >&2 && false; }
    done
}

@test "colour only where it should be" {
    export TERM=xterm
    call env CLICOLOR_FORCE=1 clauderon doctor
    grep -q $'\x1b' "$out" || fails 'expected colour when it is forced'
    call env CLICOLOR_FORCE=1 NO_COLOR=1 clauderon doctor
    ! grep -q $'\x1b' "$out" "$err" || fails 'colour in spite of NO_COLOR'
    call env CLICOLOR_FORCE=1 clauderon doctor --format tsv
    ! grep -q $'\x1b' "$out" || fails 'colour in tsv'
    call env CLICOLOR_FORCE=1 clauderon doctor --json
    ! grep -q $'\x1b' "$out" || fails 'colour in JSON'
}

@test "nobody is asked anything without a terminal" {
    # A question would wait for this pipe, which never says anything.
    status=0
    sleep 50 | timeout 20 clauderon delete nosuch >/dev/null 2>"$BATS_TEST_TMPDIR/err" || status=$?
    [ "$status" -ne 124 ]
}

@test "empty and impossible values are refused before docker is asked" {
    git init -q repo
    git -C repo -c user.name=T -c user.email=t@example.com commit -q --allow-empty -m one
    git init -q empty
    mkdir plain
    printf '' >prompt
    while IFS='|' read -r words; do
        eval "call clauderon create $words"
        has_status 2
        says_nothing
        says_why
        eval "call clauderon create --json $words"
        is_error usage 2
    done <<'WORDS'
--repo plain --prompt x
--repo empty --prompt x
--repo nosuch --prompt x
--repo repo --prompt ''
--repo repo --prompt ' '
--repo repo --prompt-file prompt
--repo repo --prompt-file nosuch
--repo repo --prompt-file -
--repo repo --prompt x --prompt-file prompt
--repo repo --prompt x --cpu-limit 0
--repo repo --prompt x --cpu-limit -1
--repo repo --prompt x --cpu-limit lots
--repo repo --prompt x --memory-limit 8
--repo repo --prompt x --memory-limit -1g
--repo repo --prompt x --memory-limit 8q
--repo repo --prompt x --name -x
--repo repo --prompt x --name a/b
--repo repo --prompt x --name ..
--repo repo --prompt x --name ''
--repo repo --prompt x --name '$(reboot)'
--repo repo --prompt x --pull-policy sometimes
--repo repo --prompt x --backend podman-machine
--repo repo --prompt x --agent nosuch
--repo repo --prompt x --access-mode none
--repo repo --prompt x --network none
--repo repo --prompt x --image --privileged
--repo repo --prompt x --image 'a b'
--repo repo --prompt x --env =x
--repo repo --prompt x --base nosuch
--repo repo --prompt x --timeout 5
--repo repo --attach --detach --prompt x
WORDS
    [ ! -e "$CLAUDERON_HOME/worktrees/x" ]
}
