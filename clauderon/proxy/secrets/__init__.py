"""Where each credential's secret comes from, and which host it is lent to.

Must not log or print a secret, nor read one on the event loop.
"""
