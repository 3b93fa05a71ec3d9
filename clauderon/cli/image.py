"""`image build`."""

from __future__ import annotations

from typing import Annotated

from clauderon.cli import common
from clauderon.cli.declared import Option


def build(
    tag: Annotated[str, Option("--tag", "-t", metavar="NAME", help="The image's name.")] = "clauderon:latest",
    base: Annotated[
        str, Option("--base", metavar="IMAGE", help="The Debian or Ubuntu image to start from.")
    ] = "debian:bookworm",
    with_: Annotated[
        str | None, Option("--with", metavar="rust|go|java,...", help="Add rust, go, java.")
    ] = None,
    default: Annotated[
        bool, Option("--default", help="Make it the default image in config.toml; do not ask.")
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Print the Dockerfile; build nothing.")] = False,
    format_: common.FormatOption = "table",
    json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Build an image with git, a compiler, Node.js, Python and the usual tools.

    Prints the image's name.

    Example: clauderon image build --with rust
    """
    from clauderon.session import images

    out = common.speak(format_, json, quiet)
    for flag, name in (("--tag", tag), ("--base", base)):
        images.check_name(flag, name)
    text = images.dockerfile(base, images.languages(with_) if with_ is not None else ())
    if dry_run:
        out.value(text.rstrip("\n"), {"dockerfile": text})
        return
    with common.opened() as context:
        image = images.build(context, text, tag)
        chosen = default or (
            context.config.docker.default_image != tag
            and out.confirm(
                f"Use {tag} for every new session? (docker.default_image in {context.home.config})"
            )
        )
        if chosen:
            images.make_default(context, tag)
        out.value(tag, {"image": tag, "id": image.id, "default": chosen})
        if not chosen and context.config.docker.default_image != tag:
            out.note(f"hint: clauderon create --image {tag} ...")
