"""Write one JSON line a request, rotate the files, and read them for people.

Must not hold up the event loop, and must not be given a secret or a query string.
"""
