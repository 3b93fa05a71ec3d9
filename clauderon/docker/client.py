"""docker's verbs: one method a question or an act, each an argv, a call and a parse. No policy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from clauderon import proc
from clauderon.config.schema import Docker as DockerConfig
from clauderon.docker import argv, parse
from clauderon.docker.calling import ACT_TIMEOUT_S, Caller, Pending, environment, failures
from clauderon.errors import CommandFailed

if TYPE_CHECKING:
    from clauderon.spec import ContainerSpec

# After so long a registry is taken to be out of reach, since a person waits for the report.
REGISTRY_TIMEOUT_S = 15.0


class Docker(Caller):
    """The docker command line of one configuration, with its verbs."""

    __slots__ = ()

    @classmethod
    def of(cls, config: DockerConfig, environ: Mapping[str, str]) -> Docker:
        """The docker that the configuration names, with `environ` less what is clauderon's own."""
        return cls(config.command, config.context, environment(environ))

    # Containers

    def container_run(self, spec: ContainerSpec) -> str:
        """Start a container in the background; returns its id. Raises the bare CommandFailed.

        By `start`, which spares `create` the import of plumbum, a fifth of its own time.
        """
        words = argv.container_run_argv(spec)
        return self.start(*words, what="run").bare_result(timeout_s=ACT_TIMEOUT_S).text.strip()

    def container_create(self, spec: ContainerSpec) -> str:
        """As `container_run`, without starting it."""
        return self.attempt(*argv.container_create_argv(spec), timeout_s=ACT_TIMEOUT_S).text.strip()

    def container_list(self, filters: Mapping[str, str]) -> list[parse.Container]:
        """The containers, running or not, that have these labels. Raises BackendError."""
        return self._listed(argv.container_list_argv(filters), "list containers")

    def container_list_glance(
        self, filters: Mapping[str, str], timeout_s: float
    ) -> list[parse.Container] | None:
        """As `container_list`; None from an engine that does not answer in time."""
        answer = self.glance(argv.container_list_argv(filters), timeout_s)
        return None if answer is None else parse.parse_container_list(answer)

    def container_list_start(self, filters: Mapping[str, str]) -> Pending:
        """The same, begun; `containers` reads the answer."""
        return self.start(*argv.container_list_argv(filters), what="list containers")

    def container_stats(self, ids: Collection[str]) -> dict[str, parse.Stats]:
        """What running containers use, by id, in one call; nothing where one of them has just ended."""
        if not ids:
            return {}
        try:
            return parse.parse_stats(self.attempt(*argv.container_stats_argv(ids)).text)
        except CommandFailed:
            return {}

    def container_inspect(self, name: str) -> parse.ContainerDetail | None:
        """The container's details, or None if no container has that name or id."""
        try:
            answer = self.attempt(*argv.container_inspect_argv(name))
        except CommandFailed as failure:
            if failures().is_missing(failure):
                return None
            raise failures().explain(failure, f"inspect {name}") from failure
        return parse.parse_container_inspect(answer.text)

    def container_volumes(self, name: str) -> list[tuple[str, str]]:
        """The named volumes of a container, each with where it is mounted. Raises BackendError."""
        text = self.run(*argv.container_volumes_argv(name), what=f"inspect {name}").text
        return [
            (volume, target)
            for volume, _, target in (line.partition("\t") for line in text.splitlines())
            if target
        ]

    def container_remove(self, name: str) -> bool:
        """Stop at once and remove; False if there was none."""
        return self.container_remove_start(name)()

    def container_remove_start(self, name: str) -> Callable[[], bool]:
        """Begin `container_remove`; the answer is a call away."""
        return self._unless_missing(*argv.container_remove_argv(name), what=f"remove {name}")

    def container_stop(self, name: str, grace_s: int) -> bool:
        """Ask to end, kill after `grace_s` seconds; False if there is none."""
        return self.container_stop_start(name, grace_s)()

    def container_stop_start(self, name: str, grace_s: int) -> Callable[[], bool]:
        """Begin `container_stop`; the answer is a call away."""
        return self._unless_missing(*argv.container_stop_argv(name, grace_s), what=f"stop {name}")

    def container_start(self, name: str) -> None:
        """Start a stopped container. Raises the bare CommandFailed."""
        self.attempt(*argv.container_start_argv(name))

    def container_rename(self, name: str, new_name: str) -> None:
        """Rename a container. Raises BackendError."""
        self.run(*argv.container_rename_argv(name, new_name), what=f"rename {name}")

    def container_wait(self, name: str) -> int:
        """Wait until the container ends, however long; returns its exit status."""
        answer = self.run(
            *argv.container_wait_argv(name), what=f"wait for {name}", timeout_s=None, aloud=False
        )
        return int(answer.text.strip())

    def copy_into(self, container: str, directory: str, archive: bytes) -> None:
        """Unpack a tar archive into a container's directory; works on a container that never ran."""
        words = argv.copy_into_argv(container, directory)
        self.run(*words, what=f"copy into {container}", stdin=archive)

    # Images

    def image_pull(
        self,
        reference: str,
        *,
        on_progress: Callable[[float, float | None, str], None],
        offline: str,
        drawn: bool,
    ) -> None:
        """Pull an image, saying how far it is as `Pulled.progress` does. Raises the explained error.

        drawn: docker counts the bytes, which it does on a terminal only.
        offline: what to type to do without the registry, the hint when it cannot be reached.
        """
        from clauderon.docker.pulling import Pulled

        pulled = Pulled()

        def heard(text: str) -> None:
            pulled.feed(text)
            on_progress(*pulled.progress)

        try:
            words = self.argv(*argv.image_pull_argv(reference))
            proc.stream(words, env=self.env, on_stdout=heard, drawn=drawn)
        except CommandFailed as failure:
            raise failures().pull_failed(failure, reference, offline) from failure

    def image_list(self) -> list[tuple[str, str]]:
        """(`repository:tag`, content id) of the engine's named images, newest first."""
        return parse.parse_image_list(self.run(*argv.image_list_argv(), what="list images").text)

    def image_list_glance(self, timeout_s: float) -> list[tuple[str, str]]:
        """As `image_list`; none from an engine that does not answer in time."""
        return parse.parse_image_list(self.glance(argv.image_list_argv(), timeout_s) or "")

    def image_in_registry(self, reference: str) -> bool:
        """Whether the registry has the image; nothing is pulled. Raises CommandFailed where it does not say."""
        try:
            self.attempt(*argv.image_in_registry_argv(reference), timeout_s=REGISTRY_TIMEOUT_S)
        except CommandFailed as failure:
            if "no such manifest" in failure.detail or "manifest unknown" in failure.detail:
                return False
            raise
        return True

    # Networks, volumes, and all three at once

    def inspect_start(self, names: Collection[str]) -> Pending:
        """Begin one `docker inspect` for images, networks and volumes together; finish with `inspected`."""
        return self.start(*argv.inspect_argv(names), what="inspect")

    @staticmethod
    def inspected(pending: Pending) -> parse.Objects:
        """What a mixed inspect found; what is missing is simply not in the answer."""
        answer = pending.bare_result(ok=None)
        if answer.status != 0:
            failure = CommandFailed(answer.argv, answer.status, answer.stdout, answer.stderr)
            if not failures().is_missing(failure):
                raise failures().explain(failure, "inspect") from failure
        return parse.parse_inspect(answer.text)

    def inspect(self, *names: str) -> parse.Objects:
        """What has these names: images, networks, containers, volumes. Missing ones are not in the answer."""
        found = self.inspected(self.inspect_start(names))
        return self.inspect_by_kind(names) if found.hidden else found

    def inspect_by_kind(self, names: Collection[str]) -> parse.Objects:
        """`inspect` where a container bears one of the names: docker then shows the container alone."""
        kinds = ("image", "network", "volume")
        pending = [self.start(*argv.inspect_kind_argv(k, names), what="inspect") for k in kinds]
        # A kind that knows none of the names fails, and that is an answer.
        texts = [one.bare_result(ok=None).text for one in pending]
        return parse.parse_inspect("\n".join(texts))

    def image_inspect(self, reference: str) -> parse.Image | None:
        """The image in the engine's store, or None. Asked by type: a container may bear the same name."""
        try:
            answer = self.attempt(*argv.inspect_kind_argv("image", [reference]))
        except CommandFailed as failure:
            if failures().is_missing(failure):
                return None
            raise failures().explain(failure, f"inspect {reference}") from failure
        return next(iter(parse.parse_inspect(answer.text).images), None)

    def network_create(self, name: str, *, subnet: str, internal: bool, labels: Mapping[str, str]) -> None:
        """Create a bridge network. Raises BackendError."""
        words = argv.network_create_argv(name, subnet=subnet, internal=internal, labels=labels)
        self.run(*words, what=f"create network {name}")

    def network_list(self, labels: Mapping[str, str]) -> list[str]:
        """Names of the networks with these labels."""
        return self.run(*argv.network_list_argv(labels), what="list networks").text.split()

    def network_users(self, name: str) -> list[parse.Container]:
        """The containers that are on a network, running or not."""
        return self._listed(argv.network_users_argv(name), f"find users of {name}")

    def network_remove(self, name: str) -> bool:
        """Remove a network; False if there was none. Raises BackendError."""
        return self._unless_missing(*argv.network_remove_argv(name), what=f"remove network {name}")()

    def volume_create(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a volume, or leave an existing one as it is. Raises BackendError."""
        self.run(*argv.volume_create_argv(name, labels), what=f"create volume {name}")

    def volume_remove(self, name: str) -> bool:
        """Remove a volume; False if there was none. Raises BackendError."""
        return self._unless_missing(*argv.volume_remove_argv(name), what=f"remove volume {name}")()

    def volume_list(self, label: str) -> dict[str, str]:
        """Names of the volumes with this label, and its value of each."""
        answer = self.run(*argv.volume_list_argv(label), what="list volumes")
        return parse.parse_volume_list(answer.text)

    def volumes_left(self, home: str) -> dict[str, str]:
        """Overlays of a home's sessions that no container has, and the session of each."""
        answer = self.run(*argv.volumes_left_argv(home), what="list volumes")
        return parse.parse_volume_list(answer.text)

    def volume_users(self, name: str) -> list[parse.Container]:
        """Every container, running or not, that mounts the volume."""
        return self._listed(argv.volume_users_argv(name), f"find users of {name}")

    def disk_usage(self) -> dict[str, tuple[str, int]]:
        """Volume name to (size as docker words it, number of containers that use it)."""
        answer = self.run(
            "system", "df", "-v", "--format", "{{json .}}", what="measure volumes", timeout_s=ACT_TIMEOUT_S
        )
        return parse.parse_disk_usage(answer.text)

    def version(self) -> tuple[str, str]:
        """(client, server) versions. Raises if the engine cannot be reached."""
        answer = self.run(
            "version", "--format", "{{.Client.Version}} {{.Server.Version}}", what="docker version"
        )
        client, _, server = answer.text.strip().partition(" ")
        return client, server

    # Doors that take over the terminal

    def replace(self, *words: str) -> NoReturn:
        """Become docker with these words."""
        proc.replace(self.argv(*words), env=self.env)

    def pass_through(
        self,
        *words: str,
        cut_off: Callable[[int, Callable[[], bool]], None],
        said: Callable[[bytes], None] | None = None,
    ) -> int:
        """Run docker on our own streams and terminal; see `proc.pass_through`."""
        return proc.pass_through(self.argv(*words), env=self.env, cut_off=cut_off, said=said)

    def foreground(self, *words: str, stdin: bytes = b"", capture: bool = False) -> proc.Completed:
        """Run docker on our own stdout (unless it is captured) and stderr."""
        return proc.foreground(self.argv(*words), env=self.env, stdin=stdin, capture=capture)

    def _listed(self, words: Sequence[str], what: str) -> list[parse.Container]:
        return parse.parse_container_list(self.run(*words, what=what).text)

    def _unless_missing(self, *words: str, what: str) -> Callable[[], bool]:
        """Begin to do something to what may not be there; called, the answer says whether it was."""
        pending = self.start(*words, what=what)

        def done() -> bool:
            try:
                pending.bare_result(timeout_s=ACT_TIMEOUT_S)
            except CommandFailed as failure:
                if failures().is_missing(failure):
                    return False
                raise failures().explain(failure, what) from failure
            return True

        return done
