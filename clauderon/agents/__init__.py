"""What to install for an agent, and how to launch, resume and print with it. Starts no container itself."""
