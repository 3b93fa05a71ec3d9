"""The cargo caches that sessions share: what may come in, what a session finds, and the record of both.

Nothing of a session is believed here but bytes that have the hash which the person's own commit names. Starts no
container and asks no engine (`session.caches` does); runs nothing of a session's.
"""
