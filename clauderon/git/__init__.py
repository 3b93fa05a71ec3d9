"""git, as typed verbs: an argv builder, a parser and a call each. No policy."""

from clauderon.git.call import CheckoutGit as CheckoutGit
from clauderon.git.call import Git as Git
from clauderon.git.call import common_dir_at as common_dir_at
from clauderon.git.call import version as version
from clauderon.git.environment import environment as environment
from clauderon.git.repository import Remote as Remote
from clauderon.git.repository import Repository as Repository
from clauderon.git.repository import remotes_read as remotes_read
from clauderon.git.repository import repository_read as repository_read
