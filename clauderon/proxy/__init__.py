"""The TLS-intercepting proxy that lends credentials to sessions.

Commands call `service`, which returns a `status`. Each folder says what it is for and what it must not do.
"""
