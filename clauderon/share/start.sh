#!/bin/sh
# Runs inside every container, as the child of its init: starts the agent, or takes its conversation up again, and
# records how it ended. POSIX sh and nothing else is taken for granted (dash, busybox, bash). What to run is not
# decided here: `launch`, beside this file, was written on the host.

session=${0%/*}
# What `launch` sets, and two functions of it: first, resume.
title='' program='' print_mode='' prompt_by='' begins_as='' conversation=''
log_files='' log_answered='' log_id_after='' log_set_aside='' shell_variable=''
agent_home='' workspace='' cargo_shared='' cargo_uid='' sccache_folder='' file_mask='' idle_s=''
# shellcheck source=/dev/null
. "$session/launch"

state=$agent_home/.clauderon
[ -d "$state" ] || mkdir -p "$state"
[ -z "$file_mask" ] || umask "$file_mask"
# Only init was to see it: children of the agent that have an init of their own are not to inherit it.
unset TINI_KILL_PROCESS_GROUP

# git sets the time of a pack that it relies on. Of two packs with the same object it takes the younger: be it the one
# whose time it can set. With `-h` the file is not opened, which would copy it.
[ -w /clauderon/objects/0/pack ] && touch -h /clauderon/objects/0/pack/pack-*.pack 2>/dev/null

say() { printf 'clauderon: %s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

fail() {
    say "$2"
    ended "$1"
    exit "$1"
}

ended() {
    printf '%s\n' "$1" >"$state/status"
    printf 'done\n' >"$state/activity"
}

# Files of one uid in a shared volume are closed to the next, so each uid has a folder of its own in it. Without the
# volume, or when it cannot be written, cargo works in the session's home instead.
cargo_folders() {
    has mkdir || return 0
    [ -z "$sccache_folder" ] || mkdir -p "$sccache_folder" 2>/dev/null
    [ -n "$cargo_shared" ] || return 0
    set -- "$cargo_shared/registry/$cargo_uid" "$cargo_shared/git/$cargo_uid"
    mkdir -p "$@" 2>/dev/null && return
    for folder in registry git; do
        [ -d "$cargo_shared/$folder/$cargo_uid" ] && continue
        rm -f "$agent_home/.cargo/$folder"
        mkdir -p "$agent_home/.cargo/$folder"
        # cargo's locks lie beside the registry: links into nowhere now.
        [ "$folder" = git ] || rm -f "$agent_home/.cargo/.package-cache" "$agent_home/.cargo/.package-cache-mutate"
    done
}

# The prompt as it was typed: command substitution strips newlines at the end, hence the x.
read_prompt() {
    if has cat; then
        prompt=$(cat "$session/prompt" && printf x)
        prompt=${prompt%x}
    else
        prompt='' line=''
        while IFS= read -r line; do
            prompt="$prompt$line
"
        done <"$session/prompt"
        prompt=$prompt$line
    fi
}

# Called by the functions of `launch`. In the foreground, so that the terminal's signals and size reach the agent as
# they would without us. What init is sent goes to our whole process group (TINI_KILL_PROCESS_GROUP): the agent
# ends, and then we do.
# shellcheck disable=SC2317,SC2329
launch() {
    status=0
    "$@" || status=$?
    return "$status"
}

# contains FILE TEXT: whether a line of the file has the text in it.
contains() {
    if has grep; then
        grep -qF -e "$2" "$1"
    else
        while IFS= read -r line; do
            case $line in *"$2"*) return 0 ;; esac
        done <"$1"
        return 1
    fi
}

# Whether the model has answered in this session before. One that was cut off earlier cannot be resumed, and its
# remains stand in the way of a new beginning under the same id.
has_conversation() {
    [ -n "$log_files" ] || {
        [ -e "$state/started" ]
        return
    }
    # log_files is a pattern of file names, without blanks.
    # shellcheck disable=SC2086
    for log in "$agent_home"/$log_files; do
        case $log in *.unfinished) continue ;; esac
        [ -e "$log" ] || continue
        if contains "$log" "$log_answered"; then
            [ -n "$log_id_after" ] || return 0
            log=${log%.*}
            # `resume` of launch uses it.
            # shellcheck disable=SC2034,SC2295
            conversation=${log##*/$log_id_after}
            return 0
        fi
        [ -z "$log_set_aside" ] || mv -f "$log" "$log.unfinished"
    done
    return 1
}

ready() {
    has "$program" || fail 127 "$title is not in this image and was not mounted: $program"
    if [ -n "$shell_variable" ] && ! has bash && ! has zsh; then
        eval "export $shell_variable=\"\${$shell_variable:-\$session/bash}\""
    fi
    has git || say "this image has no git: $title can change files here, but not commit them"
}

# An engine gives a new terminal no size. The person's own comes with `attach`, too late for an agent that asks once.
fit_terminal() {
    [ -t 0 ] && [ -e "$session/size" ] && has stty || return 0
    read -r lines columns <"$session/size"
    stty rows "$lines" cols "$columns" 2>/dev/null || :
}

run_agent() {
    if [ -n "$print_mode" ] && [ -e "$state/status" ]; then
        read -r status <"$state/status"
        [ "$status" != 0 ] || return 0
    fi
    ready
    # Empty is as good as gone.
    if has rm; then rm -f "$state/status"; else : >"$state/status"; fi
    if has_conversation; then
        printf 'waiting\n' >"$state/activity"
        [ -z "$print_mode" ] || printf 'working\n' >"$state/activity"
        resume
    else
        printf '%s\n' "$begins_as" >"$state/activity"
        : >"$state/started"
        [ "$prompt_by" != argument ] || read_prompt
        first
    fi
    case $status in
    126 | 127) say "$title could not be started in this image: $program ended with status $status" ;;
    esac
    # An agent that was told to stop did not end by itself: a 0 says nothing about its work then.
    [ -z "$stopped" ] || [ "$status" != 0 ] || status=143
    ended "$status"
    [ -z "$stopped" ] || printf 'stopped\n' >"$state/activity"
}

# Whether anything but init, this shell and its children lives here.
busy() {
    for process in /proc/[0-9]*; do
        process=${process#/proc/}
        case $process in 1 | "$$" | "$1") continue ;; esac
        [ ! -e "/proc/$process" ] || return 0
    done
    return 1
}

# Up for as long as somebody works in here through exec, and a little longer.
stay_idle() {
    has sleep || { while read -r _; do :; done && return; }
    quiet=0
    while [ "$quiet" -lt "$idle_s" ]; do
        sleep 1 &
        nap=$!
        wait "$nap"
        [ -z "$stopped" ] || return 0
        if busy "$nap"; then quiet=0; else quiet=$((quiet + 1)); fi
    done
    status=0
}

status=0 stopped=''
# Caught, not ignored: the agent gets them with their usual meaning, and we live on to record its end.
trap 'stopped=1' HUP INT QUIT TERM
cd "$workspace" || fail 126 "there is no $workspace here"
cargo_folders
mode=agent
[ ! -e "$session/mode" ] || read -r mode <"$session/mode"
case $mode in
idle) stay_idle ;;
attached)
    # Somebody is to read every byte the agent prints: a line on stdin says that they listen.
    read -r _ || stopped=1
    exec </dev/null
    if [ -n "$stopped" ]; then status=143; else run_agent; fi
    ;;
*)
    fit_terminal
    run_agent
    ;;
esac
exit "$status"
