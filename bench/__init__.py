"""The benchmark: measures clauderon beside its peers in one run. No part of the package; nothing imports it."""
