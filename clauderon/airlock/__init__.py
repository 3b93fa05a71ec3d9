"""The git airlock: a private git directory for the container, and the way back for objects and one branch."""
