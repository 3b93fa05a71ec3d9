# Functions for shells and scripts:  . "$(clauderon path sh)"
#
#   clauderon_newest                 print the name of the newest session
#   clauderon_dir [NAME]             print the path of a session's worktree
#   clauderon_cd [NAME]              enter it
#   clauderon_in NAME COMMAND...     run a command in it, on this machine
#   clauderon_each COMMAND...        the same for every session; the first failure is the status
#   clauderon_use [NAME]             export CLAUDERON_SESSION_* of a session
#   clauderon_unuse                  take them away again
#   clauderon_wait [NAME...]         wait for several sessions, without names for all
#
# NAME is the newest session where it may be left out. A failure has the exit status of `clauderon` itself.
# POSIX sh; nothing is printed, run or set by sourcing this file, so it may be sourced twice, under `set -eu` too.
# CLAUDERON is the program to call, if it is not `clauderon` on the PATH.
# shellcheck shell=sh

clauderon_newest() (
    clauderon_line=$("${CLAUDERON:-clauderon}" __complete --bare newest) || exit
    clauderon_name=${clauderon_line%%"	"*}
    if [ -z "$clauderon_name" ]; then
        echo 'clauderon: newest session: there is no session' >&2
        exit 3
    fi
    printf '%s\n' "$clauderon_name"
)

clauderon_dir() (
    clauderon_name=${1-}
    [ -n "$clauderon_name" ] || clauderon_name=$(clauderon_newest) || exit
    clauderon_text=$("${CLAUDERON:-clauderon}" env -- "$clauderon_name") || exit
    eval "$clauderon_text"
    printf '%s\n' "$CLAUDERON_SESSION_WORKTREE"
)

clauderon_cd() {
    # No subshell, since this one is to move; the names are taken away again.
    if clauderon_target=$(clauderon_dir "$@"); then
        set -- "$clauderon_target"
        unset clauderon_target
        cd -- "$1" || return
    else
        set -- "$?"
        unset clauderon_target
        return "$1"
    fi
}

clauderon_in() (
    if [ $# -lt 2 ]; then
        echo 'usage: clauderon_in NAME COMMAND...' >&2
        exit 2
    fi
    clauderon_target=$(clauderon_dir "$1") || exit
    shift
    cd -- "$clauderon_target" || exit
    "$@"
)

clauderon_each() (
    if [ $# -eq 0 ]; then
        echo 'usage: clauderon_each COMMAND...' >&2
        exit 2
    fi
    clauderon_lines=$("${CLAUDERON:-clauderon}" __complete --bare active) || exit
    clauderon_status=0
    # The list comes by descriptor 3, so that the command keeps stdin.
    while IFS='	' read -r clauderon_name clauderon_about <&3; do
        [ -n "$clauderon_name" ] || continue
        clauderon_text=$("${CLAUDERON:-clauderon}" env -- "$clauderon_name") || exit
        # A subshell, so that a `cd` or `exit` of the command ends with its session.
        (
            eval "$clauderon_text"
            cd -- "$CLAUDERON_SESSION_WORKTREE" || exit
            exec 3<&-
            "$@"
        ) || {
            clauderon_last=$?
            [ "$clauderon_status" -ne 0 ] || clauderon_status=$clauderon_last
        }
    done 3<<CLAUDERON_LIST
$clauderon_lines
CLAUDERON_LIST
    exit "$clauderon_status"
)

clauderon_use() {
    set -- "${1-}"
    if [ -n "$1" ] || { clauderon_text=$(clauderon_newest) && set -- "$clauderon_text"; }; then
        clauderon_text=$("${CLAUDERON:-clauderon}" env -- "$1") || set -- "$?" failed
    else
        set -- "$?" failed
    fi
    if [ $# -eq 2 ]; then
        unset clauderon_text
        return "$1"
    fi
    eval "$clauderon_text"
    unset clauderon_text
}

clauderon_unuse() {
    clauderon_text=$("${CLAUDERON:-clauderon}" env --unset) || {
        set -- "$?"
        unset clauderon_text
        return "$1"
    }
    eval "$clauderon_text"
    unset clauderon_text
}

clauderon_wait() (
    if [ $# -eq 0 ]; then
        clauderon_lines=$("${CLAUDERON:-clauderon}" __complete --bare active) || exit
        # shellcheck disable=SC2034 # read puts the whole rest into its last name
        while IFS='	' read -r clauderon_name clauderon_about; do
            [ -z "$clauderon_name" ] || set -- "$@" "$clauderon_name"
        done <<CLAUDERON_LIST
$clauderon_lines
CLAUDERON_LIST
        [ $# -gt 0 ] || exit 0
    fi
    exec "${CLAUDERON:-clauderon}" wait -- "$@"
)
