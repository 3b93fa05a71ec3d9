"""Serve clients: read a request, judge it, pass it to its upstream, and pass the answer back.

Must not read configuration, rows or secrets, start a process, or block the event loop: it is given all that it needs.
"""
