"""An agent a file, by the name that `--agent` takes; each ends in `AGENT`. None of them knows of another."""
