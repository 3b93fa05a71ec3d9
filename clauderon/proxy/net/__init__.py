"""Move bytes: connections with TLS, names resolved, upstreams dialled and kept for reuse.

Must not parse a request, choose a credential or know a session's rights beyond the addresses that it may dial.
"""
