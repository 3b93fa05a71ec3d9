"""`clauderon top`: a live view of all sessions. `feed` asks, `frame` words, `app` draws (the one room with Textual)."""
