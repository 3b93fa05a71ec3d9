"""Decide what a session may reach: hosts, addresses, requests.

Pure. Must not do I/O, read a clock or hold a secret.
"""
