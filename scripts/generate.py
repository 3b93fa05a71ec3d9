"""`scripts/docs`: writes the generated files, or checks that they are what the code says."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import commandtree  # noqa: E402
import completions  # noqa: E402
import floorplan  # noqa: E402
import helptexts  # noqa: E402
import manpage  # noqa: E402
import reference  # noqa: E402


def pages() -> dict[Path, str]:
    """Every generated file with the text it should have."""
    from clauderon.cli import typed

    application = typed.build()
    tree = commandtree.read(application)
    architecture = ROOT / "docs/architecture.md"
    configuration = ROOT / "docs/configuration.md"
    agents = ROOT / "docs/agents.md"
    proxy = ROOT / "docs/proxy.md"
    share = ROOT / "clauderon/share"
    return {
        ROOT / "docs/cli.md": reference.cli(tree),
        ROOT / "docs/exit-status.md": reference.exit_status(),
        architecture: floorplan.architecture(architecture.read_text()),
        configuration: reference.configuration(configuration.read_text()),
        agents: reference.agents(agents.read_text()),
        proxy: reference.proxy(proxy.read_text()),
        share / "completion.bash": completions.bash(tree),
        share / "completion.zsh": completions.zsh(tree),
        share / "completion.fish": completions.fish(tree),
        share / "help.txt": helptexts.texts(application),
        share / "clauderon.1": manpage.page(tree),
    }


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: scripts/docs [--check]", file=sys.stderr)
        return 2
    stale = 0
    for path, text in pages().items():
        present = path.read_text() if path.exists() else ""
        if present == text:
            continue
        stale += 1
        name = str(path.relative_to(ROOT))
        if arguments:
            lines = difflib.unified_diff(
                present.splitlines(keepends=True),
                text.splitlines(keepends=True),
                name,
                f"{name} (generated)",
                n=1,
            )
            sys.stdout.writelines(lines)
        else:
            path.write_text(text)
            print(f"wrote {name}")
    if arguments and stale:
        print("run: scripts/docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
