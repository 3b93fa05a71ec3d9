"""`clauderon dashboard`: the sessions in a browser, on loopback. `door` decides who may look, `answers` says what, and
`server` serves (the one room with aiohttp beside the proxy)."""
