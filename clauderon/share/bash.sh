#!/bin/sh
# Stands in for bash in an image that has none: Claude Code runs its commands with nothing else than bash or zsh, and
# what it asks of it is mostly plain sh. Tried with Claude Code 2.1.330 and busybox.

# At its start it saves the login shell's functions in a file, for every command to source. Those it brings itself are
# in bash's own grammar, which a plain sh stops at; there is nothing of the person's to save.
case "$1 $2 $3" in
"-c -l SNAPSHOT_FILE="*)
    file=${3#SNAPSHOT_FILE=}
    # Up to the first blank or newline.
    file=${file%%[[:space:]]*}
    : >"$file"
    exit
    ;;
esac
exec sh "$@"
