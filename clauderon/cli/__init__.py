"""The typer commands, one small file a family."""
