"""A git configuration that switches off every program of a person's configuration that a tree can choose. Text only."""

from __future__ import annotations

from clauderon.git.settings import Settings

_FILTER = (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))
# What `diff.external` and its like are called with: path, old file, hex, mode, new file, hex, mode.
_DIFF = 'f() { diff -u --label "a/$1" --label "b/$1" "$2" "$5"; :; }; f'


def quiet_config(settings: Settings) -> str:
    """The text of a configuration file: hooks, fsmonitor, filters, merge and diff drivers run nothing."""
    sections = [_section("core", "", (("hooksPath", "/dev/null"), ("fsmonitor", "false")))]
    sections += [_section("filter", name, _FILTER) for name in settings.filters]
    sections += [
        _section("merge", key[len("merge.") : -len(".driver")], (("driver", "exit 1"),))
        for key, _ in settings.drivers
        if key.startswith("merge.")
    ]
    if settings.external_diff:
        sections.append(_section("diff", "", (("external", _DIFF),)))
    for name, kinds in settings.diffs.items():
        # An empty textconv makes nothing of a file, so a diff would show nothing.
        values = {"textconv": "cat", "command": _DIFF}
        pairs = tuple((kind, values[kind]) for kind in kinds)
        sections.append(_section("diff", name, (*pairs, ("cachetextconv", "false"))))
    return "".join(sections)


def _section(name: str, sub: str, values: tuple[tuple[str, str], ...]) -> str:
    head = f"[{name} {quoted(sub)}]" if sub else f"[{name}]"
    return head + "\n" + "".join(f"\t{key} = {quoted(value)}\n" for key, value in values)


def quoted(text: str) -> str:
    """A value or the name of a subsection as git's configuration has it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
