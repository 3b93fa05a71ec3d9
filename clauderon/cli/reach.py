"""The options of `create` that say what a session may reach."""

from __future__ import annotations

from typing import Annotated

from clauderon.choices import LEARN, NETWORK_MODES, one_of
from clauderon.cli.declared import Option

AccessModeOption = Annotated[
    str, Option("--access-mode", metavar="read-write|read-only", help="What the proxy lets through.")
]
NetworkOption = Annotated[
    str | None,
    Option(
        "--network",
        metavar="open|proxied|learn",
        help="proxied: no way out but the proxy. learn: the same, with every host allowed.",
    ),
]
AllowOption = Annotated[
    list[str] | None, Option("--allow", metavar="HOST[:PORT]", help="Only these hosts; repeatable.")
]
RuleOption = Annotated[
    list[str] | None,
    Option("--rule", metavar="RULE", help="'allow GET api.test /v1/**', or deny ...; repeatable."),
]
CredentialOption = Annotated[
    list[str] | None,
    Option("--credential", metavar="CREDENTIAL", help="Lend it only these, or none; repeatable."),
]
NoCredentialOption = Annotated[
    list[str] | None,
    Option("--no-credential", metavar="CREDENTIAL", help="Lend it all but these; repeatable."),
]


def learning(network: str | None, allow: list[str] | None) -> tuple[str | None, list[str] | None]:
    """The mode and the list that `learn` stands for: the proxy sees everything, and refuses no host.

    Raises UsageError for another word than a mode's or `learn`. An empty one is refused with the other flags'.
    """
    if network:
        one_of(network, (*NETWORK_MODES, LEARN), "--network")
    return ("proxied", ["*", *(allow or ())]) if network == LEARN else (network, allow)
