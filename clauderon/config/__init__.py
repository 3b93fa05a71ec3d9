"""The configuration: its schema, and reading it from `config.toml` and the environment."""
