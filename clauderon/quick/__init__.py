"""Answers in milliseconds: what prompts, Makefiles and completion ask, without typer and plumbum. Starts no process."""
