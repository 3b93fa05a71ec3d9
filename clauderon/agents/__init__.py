"""Agents: what to install, how to launch, resume and print."""
