"""What a configured value may look like: each check takes a raw value and returns the parsed one.

A check raises ValueError with the reason in lower case, without naming the key. Pure; no file is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from clauderon.grammar import (
    LAST_PORT,
    PLACEHOLDERS,
    USER,
    VARIABLE,
    destination,
    fill,
    filled,
    host,
    image_problem,
    text,
    type_name,
)

Check = Callable[[object], object]

# Strings: compiled when first used, since most commands read no configuration file.
_OBJECT_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_HEADER = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_VERSION = r"[A-Za-z0-9][A-Za-z0-9.+_-]*"
_PORTS = r"([0-9]{1,5})-([0-9]{1,5})"
_NPM_PACKAGE = r"(?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*"
# A path that no server rewrites before it looks for the file.
_URL_PATH = r"/(?!/)(?:(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,:@-]+/?)*"
_PROXY_URL = r"https?://[^\s/?#]+/?"
# Framing and routing belong to the proxy; a credential in one of these would break every request.
_FRAMING_HEADERS = {"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer"}


def flag(value: object) -> bool:
    """A boolean."""
    if isinstance(value, bool):
        return value
    raise ValueError(f"expected true or false, found {type_name(value)}")


def integer(low: int, high: int) -> Check:
    """A whole number from low to high."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"expected a whole number, found {type_name(value)}")
        if not low <= value <= high:
            raise ValueError(f"{value} is not between {low} and {high}")
        return value

    return check


def choice(*choices: str) -> Check:
    """One of the given words."""

    def check(value: object) -> str:
        if text(value) in choices:
            return text(value)
        raise ValueError(f"{value!r} is not one of {', '.join(choices)}")

    return check


def number_text(value: object) -> str:
    """A limit as a person types it: a string, or a bare number kept as its text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return text(value)


def dollars(value: object) -> float:
    """A price in US dollars, from nothing up."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"expected a number, found {type_name(value)}")
    if not 0 <= value < 1e6:
        raise ValueError(f"{value} is no price in US dollars for a million tokens")
    return float(value)


def texts(value: object) -> tuple[str, ...]:
    """A list of strings."""
    if isinstance(value, str):
        raise ValueError(f'expected a list of strings, found a string; write it as ["{value}"]')
    if not isinstance(value, list):
        raise ValueError(f"expected a list of strings, found {type_name(value)}")
    return tuple(text(item) for item in value)


def argv(value: object) -> tuple[str, ...]:
    """A command as a list of its words; no shell ever sees it. Empty: no command."""
    words = texts(value)
    if words and not words[0]:
        raise ValueError("the command's first word is empty")
    return words


def template(value: object) -> tuple[str, ...]:
    """A command with words that are replaced (`grammar.fill`)."""
    words = argv(value)
    for word in words:
        fill(word, dict.fromkeys(PLACEHOLDERS, ""))
    return words


def npm_package(value: object) -> str:
    """The name of an npm package, `name` or `@scope/name`; which version of it is a key of its own."""
    name = text(value)
    if name and not re.fullmatch(_NPM_PACKAGE, name):
        hint = "; the version is a key of its own" if re.fullmatch(f"{_NPM_PACKAGE}@.*", name) else ""
        raise ValueError(f"{name!r} is not the name of an npm package{hint}")
    return name


def image(value: object) -> str:
    """An image reference; the engine has the last word on it."""
    reference = text(value)
    problem = image_problem(reference)
    if problem is not None:
        raise ValueError(f"{reference!r}: {problem}" if reference else problem)
    return reference


def object_name(value: object) -> str:
    """A name the engine gives to networks, volumes and contexts."""
    if not re.fullmatch(_OBJECT_NAME, filled(value)):
        raise ValueError(f"{value!r} is not a name the engine takes (letters, digits, '_', '.', '-')")
    return text(value)


def network_name(value: object) -> str:
    """A name for a Docker network of ours. Raises ValueError for docker's own."""
    if value not in ("host", "bridge", "none", "default"):
        return object_name(value)
    raise ValueError(f"{value!r} is docker's own network; choose another name, and it is made")


def context(value: object) -> str:
    """A docker context, or empty for docker's own choice."""
    return object_name(value) if value != "" else ""


def user(value: object) -> str:
    """`host`, `image`, or numeric UID or UID:GID."""
    if text(value) not in ("host", "image") and not re.fullmatch(USER, text(value)):
        raise ValueError(f"{value!r} is not one of host, image, or a numeric UID:GID")
    return text(value)


def version(value: object) -> str:
    """`latest`, `stable` or an exact version; it becomes a directory's name."""
    if not re.fullmatch(_VERSION, filled(value)) or ".." in text(value):
        raise ValueError(f"{value!r} is not latest, stable or a version")
    return text(value)


def port_range(value: object) -> str:
    """`FIRST-LAST`, both included."""
    match = re.fullmatch(_PORTS, text(value))
    if match is None:
        raise ValueError(f'{value!r} is not a range of ports; write it as "3100-3999"')
    first, last = int(match[1]), int(match[2])
    if not 1 <= first <= last <= LAST_PORT:
        raise ValueError(f"{value!r} is not a range of ports between 1 and {LAST_PORT}")
    return f"{first}-{last}"


def destinations(value: object) -> tuple[str, ...]:
    """A list of hosts, each with a port or without. Raises ValueError."""
    return tuple(destination(item) for item in texts(value))


def credential_hosts(value: object) -> tuple[str, ...]:
    """Destinations narrow enough to send a secret to."""
    found = destinations(value)
    for wanted in found:
        name = wanted.partition(":")[0]
        if name == "*" or (name.startswith("*.") and name.count(".") < 2):
            raise ValueError(f"{wanted!r} would send the secret to anybody; name the hosts")
    return found


def host_port(value: object) -> str:
    """`host:port`."""
    name, colon, number = text(value).rpartition(":")
    if not colon or not number.isascii() or not number.isdigit() or not 1 <= int(number) <= LAST_PORT:
        raise ValueError(f"{value!r} is not HOST:PORT")
    parsed = host(name)
    return f"[{parsed}]:{int(number)}" if ":" in parsed else f"{parsed}:{int(number)}"


def host_port_map(value: object) -> dict[str, str]:
    """A table from `host:port` to `host:port`."""
    return {host_port(key): host_port(item) for key, item in _table(value).items()}


def variables(value: object) -> dict[str, str]:
    """A table of environment variables."""
    for key in _table(value):
        if not re.fullmatch(VARIABLE, key):
            raise ValueError(f"{key!r} is not a variable's name")
    return {key: text(item) for key, item in _table(value).items()}


def variable_names(value: object) -> tuple[str, ...]:
    """One variable's name, or a list of them."""
    names = texts([value] if isinstance(value, str) and value else [] if value == "" else value)
    for name in names:
        if not re.fullmatch(VARIABLE, name):
            raise ValueError(f"{name!r} is not a variable's name")
    return names


def header(value: object) -> str:
    """A header's name, in lower case."""
    name = filled(value).lower()
    if not re.fullmatch(_HEADER, name) or name in _FRAMING_HEADERS:
        raise ValueError(f"{value!r} is not a header that can carry a credential")
    return name


def header_format(value: object) -> str:
    """A header's value with `{secret}` or `{basic}` in it."""
    template = text(value)
    if "{secret}" not in template and "{basic}" not in template:
        raise ValueError(f"{template!r} has neither {{secret}} nor {{basic}} in it")
    if not template.isascii() or not template.isprintable():
        raise ValueError("a header is one line of ASCII")
    return template


def more_headers(value: object) -> dict[str, str]:
    """A table of headers and their values."""
    found = {header(name): text(item) for name, item in _table(value).items()}
    if not all(template.isascii() and template.isprintable() for template in found.values()):
        raise ValueError("a header is one line of ASCII")
    return found


def url_paths(value: object) -> tuple[str, ...]:
    """Paths of URLs, as they are written in a request."""
    found = texts(value)
    for path in found:
        if not re.fullmatch(_URL_PATH, path):
            raise ValueError(f"{path!r} is not a path such as /v1/models")
    return tuple(path.rstrip("/") or "/" for path in found)


def secret_file(value: object) -> str:
    """The name of a file in `secrets/`, or empty."""
    name = text(value)
    # What begins with a dot is ours: drafts, and notes of what is left in a keyring.
    if "/" in name or name.startswith(".") or not name.isprintable():
        raise ValueError(f"{name!r} is not the name of a file in secrets/")
    return name


def proxy_url(value: object) -> str:
    """`http://host:port`, or empty."""
    if value != "" and not re.fullmatch(_PROXY_URL, text(value)):
        raise ValueError("expected http://HOST:PORT")
    return text(value).rstrip("/")


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"expected a table, found {type_name(value)}")
    return value
