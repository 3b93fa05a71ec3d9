"""Read, check and write HTTP/1.1 messages, and mask secrets in them.

Must not open a socket, decide who may do what, or know a session: bytes in, values or bytes out.
"""
