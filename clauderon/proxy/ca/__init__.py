"""The certificate authority: made, renewed, put into containers' trust stores, and used to sign leaves.

Must not know HTTP, sessions or the data plane. The key never leaves the home directory and the worker.
"""
