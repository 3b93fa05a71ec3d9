"""docker, as typed verbs: an argv builder, a parser and a call each. No policy."""

from clauderon.docker.client import Docker as Docker
