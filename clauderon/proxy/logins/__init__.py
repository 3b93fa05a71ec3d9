"""The host's own subscription logins: where each client keeps its own, lending it, and renewing it beside that client.

The login stays the client's. Must not keep a copy of a refresh token, nor ask an issuer without the client's lock.
"""
