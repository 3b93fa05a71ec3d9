"""git, as typed verbs: an argv builder, a parser and a call each. No policy."""
