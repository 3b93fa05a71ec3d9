#!/usr/bin/env bats
# Every command, in every format, on every failure that needs no engine: one test a row of the product.
# shellcheck disable=SC2154 # status, out and err are set by `call`
bats_require_minimum_version 1.11.0
load helpers

# A command line; the formats it knows; `engine` if it asks docker before anything else can go wrong; `own` if it
# passes a foreign status on, so that ours are 125.
commands() {
    cat <<'TABLE'
create --repo repo --prompt x|tsv json|engine
create --repo repo --prompt x --print|tsv json|engine own
create --repo repo --prompt x --dry-run|json|engine
create --repo repo --prompt x --print --dry-run||engine
list|tsv json|engine
status fix-bug|tsv json|engine
start fix-bug|tsv json|engine
stop fix-bug|tsv json|engine
refresh fix-bug|tsv json|engine
archive fix-bug|tsv json|engine
unarchive fix-bug|tsv json|engine
delete fix-bug|tsv json|engine
set-access-mode fix-bug read-only|tsv json|engine
attach fix-bug||engine own
shell fix-bug||engine own
exec fix-bug -- true||engine own
logs fix-bug||engine
wait fix-bug|tsv json|engine own
upload fix-bug file|tsv json|engine
sync fix-bug|tsv json|engine
diff fix-bug||engine
merge fix-bug|tsv json|engine
reconcile|tsv json|engine
clean-cache|tsv json|engine
clean-cache --force|tsv json|engine
image build|tsv json|engine
network check fix-bug GET https://api.test/|tsv json|engine
network suggest fix-bug|tsv json|engine
network allow fix-bug api.test|tsv json|engine
network deny fix-bug api.test|tsv json|engine
rescue list|tsv json|
rescue show x|tsv json|
rescue restore x|tsv json|
rescue drop x|tsv json|
top --once||engine
dashboard||
report fix-bug||engine
usage|tsv json|noconfig
budget|tsv json|
proxy run||
proxy start|tsv json|
proxy log|tsv json|noconfig
proxy stop|tsv json|noconfig
config init|tsv json|noconfig
config show|tsv json|
config credentials|tsv json|
secret set anthropic|tsv json|
secret list|tsv json|
secret rm anthropic|tsv json|
TABLE
}

# bats uses plain names of its own, `line` for one, hence the prefix.
register() {
    local my_words my_formats my_traits my_format my_failure
    while IFS='|' read -r my_words my_formats my_traits; do
        for my_format in '' $my_formats; do
            for my_failure in bad_config no_home bad_option no_engine no_docker; do
                case $my_failure:$my_format:$my_traits in
                bad_config:*:noconfig) continue ;;
                no_engine:*:*engine* | no_docker::*engine*) ;;
                no_engine:* | no_docker:*) continue ;;
                # tsv fails as a table does; one failure before and one after the engine show it.
                no_home:tsv:* | no_home:json:* | bad_option:tsv:*) continue ;;
                esac
                bats_test_function --description "$my_failure: $my_words${my_format:+ as $my_format}" \
                    -- "$my_failure" "$my_words" "$my_format" "$my_traits"
            done
        done
    done < <(commands)
}
register

setup() {
    [ $# -gt 0 ] || return 1 # a test that was registered wrongly would pass without running
    fresh_home
    engine_down
    git init -q repo
    git -C repo -c user.name=T -c user.email=t@example.com commit -q --allow-empty -m one
    touch file
}

teardown() { no_proxy_left; }

# Options go before a `--`, which ends them.
clauderon_as() {
    local -a words as=()
    local depth=1
    read -ra words <<<"$1"
    case ${words[0]} in config | proxy | image | rescue | network | secret) depth=2 ;; esac
    case $2 in
    json) as=(--json) ;;
    tsv) as=(--format tsv) ;;
    esac
    call clauderon "${words[@]:0:depth}" "${as[@]}" "${words[@]:depth}"
}

failed_with() {
    local code=$1 expected=$2 format=$3 traits=$4
    case $traits in *own*) expected=125 ;; esac
    has_status "$expected"
    says_why
    if [ "$format" = json ]; then is_error "$code" "$expected"; else says_nothing; fi
}

bad_config() {
    mkdir -p "$CLAUDERON_HOME"
    printf '[docker]\ndefualt_image = "x"\n' >"$CLAUDERON_HOME/config.toml"
    clauderon_as "$1" "$2"
    failed_with usage 2 "$2" "$3"
    grep -qF "$CLAUDERON_HOME/config.toml:2:1: unknown key 'defualt_image' in [docker]; the nearest is 'default_image'" "$err" ||
        fails 'expected the place of the mistake'
}

no_home() {
    unset HOME CLAUDERON_HOME
    clauderon_as "$1" "$2"
    failed_with usage 2 "$2" "$3"
}

bad_option() {
    clauderon_as "${1%% -- *} --nonsense" "$2"
    failed_with usage 2 "$2" "$3"
}

no_engine() {
    clauderon_as "$1" "$2"
    failed_with backend 4 "$2" "$3"
    hints 'docker info'
    grep -qi 'cannot connect to the docker daemon\|failed to connect to the docker API' "$err" || fails "expected docker's own words"
}

no_docker() {
    mkdir -p tools
    local tool
    for tool in git sh timeout env python3 clauderon; do
        ln -sf "$(command -v "$tool")" "tools/$tool"
    done
    PATH=$BATS_TEST_TMPDIR/tools clauderon_as "$1" "$2"
    failed_with tool-missing 4 "$2" "$3"
}
