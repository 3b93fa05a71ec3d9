"""Use cases: what a command does, without a word about flags or output."""
