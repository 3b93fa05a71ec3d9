"""Whether a container with our labels is one of ours: a container also bears the labels of its image.

Anybody can write `LABEL clauderon.id=...` into a Dockerfile, the agent of a session too, and a container of that image
made by hand would be a session of the image's author, with the record and the rights that he writes. What we make
has labels of its own: an id that is drawn for it, so the image cannot have it.
"""

from __future__ import annotations

from collections.abc import Iterable

from clauderon import names, spec
from clauderon.docker.parse import Container, ContainerDetail
from clauderon.record import Session
from clauderon.session.context import Context


def of_session(context: Context, containers: Iterable[Container], session: Session) -> list[Container]:
    """Those of the containers with a session's id that are its own; one under its own name is not asked about."""
    own = (names.container(session.name), names.replaced(session.name))
    return [one for one in containers if one.name in own or is_ours(context, one)]


def is_ours(context: Context, container: Container, label: str = spec.LABEL_ID) -> bool:
    """Whether the container's `label` is its own, and not its image's."""
    detail = context.docker.container_inspect(container.id)
    return detail is not None and has_own(context, detail, label)


def has_own(context: Context, detail: ContainerDetail, label: str = spec.LABEL_ID) -> bool:
    """As `is_ours`, of a container that was looked at already. No, if its image is not there to be asked."""
    value = detail.labels.get(label)
    if value is None:
        return False
    image = context.docker.image_inspect(detail.image_id)
    return image is not None and image.labels.get(label) != value
