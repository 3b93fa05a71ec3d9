"""Where everything lives: the state directory on the host and the fixed paths in the container.

Pure path arithmetic; nothing here reads or writes the disk except `Home.create` and `current_directory`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from clauderon.errors import ClauderonError, UsageError

# In the container.
WORKSPACE = "/workspace"
CONTAINER_ROOT = "/clauderon"
CONTAINER_HOME = "/clauderon/home"
HOOKS = "/workspace/.clauderon/hooks"
# Where the hooks are if the repository has files of its own at that place.
CONTAINER_HOOKS = "/clauderon/hooks"
CONTAINER_GIT = "/clauderon/git"
CONTAINER_SESSION = "/clauderon/session"
CONTAINER_AGENT = "/clauderon/agent"
CONTAINER_SCCACHE = "/clauderon/sccache"
# sccache's volume of one repository, beside the shared one.
CONTAINER_SCCACHE_OWN = "/clauderon/sccache-repository"
CONTAINER_CARGO_HOME = "/clauderon/cargo"
CONTAINER_CA = "/etc/clauderon/proxy-ca.pem"
CONTAINER_CA_BUNDLE = "/etc/clauderon/ca-bundle.pem"
CONTAINER_TRUSTSTORE = "/etc/clauderon/truststore.p12"
# Paths of ours in a worktree; a repository that tracks one of them keeps its own file.
OUR_PATHS = (".claude.json", ".clauderon")
OUR_HOOKS = ".clauderon/hooks"


def current_directory(what: str) -> Path:
    """Where we are. Raises UsageError where that was removed, for `what`, which cannot do without."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError(what, "the current directory was removed", hint="cd") from None


class Home(NamedTuple):
    """The state directory (`CLAUDERON_HOME`, else `~/.clauderon`).

    root:    absolute, its links followed, so that one directory has one path however it was named.
    spelled: the path that it was named by, where that is another; containers made before paths were resolved bear it.
    """

    root: Path
    spelled: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Home:
        """The home that `environ` names. Raises KeyError if neither CLAUDERON_HOME nor HOME is set.

        Raises UsageError for a relative one where the current directory was removed.
        """
        configured = environ.get("CLAUDERON_HOME")
        if not configured and not environ.get("HOME"):
            raise KeyError("HOME")  # an empty one would make our home wherever we happen to be
        root = Path(configured) if configured else Path(environ["HOME"]) / ".clauderon"
        if not root.is_absolute():
            root = root.expanduser()
        if not root.is_absolute():
            root = current_directory(f"home {root}") / root
        named, real = str(root), os.path.realpath(root)
        # A link that leads nowhere is for `create` to refuse, not to be followed and made.
        if real == named or (root.is_symlink() and not os.path.exists(real)):  # noqa: PTH110 - asked at every start
            return cls(root)
        return cls(Path(real), named)

    @classmethod
    def of_process(cls) -> Home:
        """The home that our own environment names. Raises UsageError if it names none."""
        try:
            return cls.from_environ(os.environ)
        except KeyError:
            why = "neither CLAUDERON_HOME nor HOME is set"
            raise UsageError("home", why, hint="export HOME=...") from None

    def create(self) -> None:
        """Make the directories that must exist before anything is recorded; safe to repeat.

        Raises ClauderonError where the system does not let us.
        """
        try:
            self._create()
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise ClauderonError(f"{error.filename or self.root}", why, hint="clauderon doctor") from error

    def _create(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for private in (self.secrets, self.locks, self.logs):
            private.mkdir(mode=0o700, exist_ok=True)
        for shared in (self.worktrees, self.git_dirs, self.homes, self.sessions, self.hooks):
            shared.mkdir(exist_ok=True)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.root / "config.toml"

    @property
    def database(self) -> Path:
        """The database of sessions."""
        return self.root / "clauderon.db"

    @property
    def usage(self) -> Path:
        """What models were asked, and what it cost."""
        return self.root / "usage.db"

    @property
    def usage_journals(self) -> Path:
        """What the proxy has seen of that and not yet written into the database."""
        return self.root / "usage"

    @property
    def events(self) -> Path:
        """What happened to sessions, a JSON object a line."""
        return self.root / "events.jsonl"

    @property
    def group_budgets(self) -> Path:
        """The budgets that groups were given, a file each."""
        return self.root / "budgets"

    @property
    def ca_cert(self) -> Path:
        """The proxy's CA certificate, PEM; containers have it."""
        return self.root / "proxy-ca.pem"

    @property
    def ca_key(self) -> Path:
        """The CA's private key, PEM, 0600; no container has it."""
        return self.root / "proxy-ca-key.pem"

    @property
    def ca_record(self) -> Path:
        """Fingerprints and dates of the CA, so that `create` need not parse certificates."""
        return self.root / "proxy-ca.json"

    @property
    def ca_bundle(self) -> Path:
        """The host's roots followed by our CA, for tools that read only the system bundle."""
        return self.root / "ca-bundle.pem"

    @property
    def truststore(self) -> Path:
        """The same roots as a PKCS#12 store for Java (password `changeit`, the JDK's own default)."""
        return self.root / "truststore.p12"

    @property
    def claude_json(self) -> Path:
        """The template of Claude Code's own state file."""
        return self.root / "claude.json"

    @property
    def audit(self) -> Path:
        """The audit: one JSON object a line."""
        return self.root / "audit.jsonl"

    @property
    def audit_tally(self) -> Path:
        """What was counted in the audit so far; it may be removed."""
        return self.root / "audit-tally.json"

    @property
    def control_socket(self) -> Path:
        """The proxy's control socket."""
        return self.root / "proxy.sock"

    @property
    def secrets(self) -> Path:
        """The directory of secret files."""
        return self.root / "secrets"

    @property
    def keyring(self) -> Path:
        """The directory that says which secrets are in the system's keyring; none of them is in it."""
        return self.root / "keyring"

    @property
    def locks(self) -> Path:
        """The directory of lock files."""
        return self.root / "locks"

    @property
    def logs(self) -> Path:
        """The directory of logs."""
        return self.root / "logs"

    @property
    def hooks(self) -> Path:
        """The user's Claude Code hooks."""
        return self.root / "hooks"

    @property
    def agents(self) -> Path:
        """The cache of agents' binaries."""
        return self.root / "agents"

    @property
    def worktrees(self) -> Path:
        """The sessions' worktrees, by name."""
        return self.root / "worktrees"

    @property
    def git_dirs(self) -> Path:
        """The sessions' private git directories, by id."""
        return self.root / "git"

    @property
    def homes(self) -> Path:
        """The agents' homes, by session id."""
        return self.root / "home"

    @property
    def sessions(self) -> Path:
        """Small files for each session, by id."""
        return self.root / "session"

    @property
    def uploads(self) -> Path:
        """Uploaded files, by session id."""
        return self.root / "uploads"

    @property
    def caches(self) -> Path:
        """What we know of the shared cache volumes, and of what each session may find in them; never mounted."""
        return self.root / "caches"

    def worktree(self, name: str) -> Path:
        """The worktree of the session with this name."""
        return self.worktrees / name

    def git_dir(self, session_id: str) -> Path:
        """The private git directory that the container sees as `CONTAINER_GIT`."""
        return self.git_dirs / session_id

    def session_home(self, session_id: str) -> Path:
        """The agent's home directory, `CONTAINER_HOME` inside; it outlives the container."""
        return self.homes / session_id

    def session_dir(self, session_id: str) -> Path:
        """Start script, prompt and settings, read-only at `CONTAINER_SESSION` inside."""
        return self.sessions / session_id

    def upload_dir(self, session_id: str) -> Path:
        """The directory of a session's uploads."""
        return self.uploads / session_id

    def lock(self, session_id: str) -> Path:
        """The lock of a session."""
        return self.locks / f"{session_id}.lock"
