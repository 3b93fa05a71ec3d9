# Functions for fish:  clauderon shell-init fish | source
#
#   clauderon_newest            print the name of the newest session
#   clauderon_dir [NAME]        print the path of a session's worktree
#   clauderon_cd [NAME]         enter it
#   clauderon_in NAME COMMAND   run a command in it, on this machine
#   clauderon_use [NAME]        export CLAUDERON_SESSION_* of a session
#   clauderon_unuse             take them away again
#   clauderon_wait [NAME...]    wait for several sessions, without names for all
#
# NAME is the newest session where it may be left out. What clauderon.sh is for the other shells.

function clauderon_newest
    set -l line (command clauderon __complete --bare newest)
    or return
    if test -z "$line"
        echo 'clauderon: newest session: there is no session' >&2
        return 3
    end
    string split -f 1 \t -- $line
end

function clauderon_dir
    set -l name $argv[1]
    if test -z "$name"
        set name (clauderon_newest)
        or return
    end
    command clauderon path worktree $name
end

function clauderon_cd
    set -l directory (clauderon_dir $argv | string collect)
    set -l codes $pipestatus
    test $codes[1] -eq 0; or return $codes[1]
    cd -- $directory
end

function clauderon_in
    if test (count $argv) -lt 2
        echo 'usage: clauderon_in NAME COMMAND...' >&2
        return 2
    end
    set -l directory (clauderon_dir $argv[1] | string collect)
    set -l codes $pipestatus
    test $codes[1] -eq 0; or return $codes[1]
    set -l before $PWD
    builtin cd -- $directory; or return
    $argv[2..-1]
    set -l code $status
    builtin cd -- $before
    return $code
end

function clauderon_use
    set -l name $argv[1]
    if test -z "$name"
        set name (clauderon_newest)
        or return
    end
    set -l text (command clauderon env --shell fish $name | string collect)
    set -l codes $pipestatus
    test $codes[1] -eq 0; or return $codes[1]
    eval $text
end

function clauderon_unuse
    command clauderon env --shell fish --unset | source
end

function clauderon_wait
    if test (count $argv) -eq 0
        set argv (command clauderon __complete --bare active | string split -f 1 \t)
        test (count $argv) -gt 0; or return 0
    end
    command clauderon wait $argv
end
