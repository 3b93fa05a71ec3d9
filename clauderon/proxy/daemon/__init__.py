"""The service's processes: supervisor, worker, their sockets and locks, the control endpoint.

Must not judge a request; the supervisor must not even import HTTP, TLS or the data plane.
"""
