"""clauderon: a git worktree, a Docker container and a credential-lending proxy for a coding agent."""

__version__ = "0.1.0"
