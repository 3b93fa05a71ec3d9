"""The TLS-intercepting proxy that lends credentials to sessions."""
