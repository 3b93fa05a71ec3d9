"""A real Chromium without a window, driven over its debugging port as a person would: keys, clicks, what is shown."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

GIVE_UP_S = 40.0


def program() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One tab. `log` has what its console said and what its policy stopped."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.log: list[str] = []
        self.requests: list[str] = []

    async def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        number = self._number
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            answer = await self._socket.receive_json(timeout=GIVE_UP_S)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self._heard(answer)

    def _heard(self, event: dict[str, Any]) -> None:
        method, data = event.get("method", ""), event.get("params", {})
        if method == "Log.entryAdded":
            self.log.append(data["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.log.append(json.dumps(data["exceptionDetails"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(data["request"]["url"])

    async def go(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def say(self, script: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script: str) -> Any:
        end = time.monotonic() + GIVE_UP_S
        while not (found := await self.say(script)):
            assert time.monotonic() < end, (script, await self.text())
            await asyncio.sleep(0.05)
        return found

    async def text(self) -> str:
        return str(await self.say("document.body ? document.body.innerText : ''"))

    async def press(self, key: str) -> None:
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if kind == "keyDown" and text else {}
            code = {"windowsVirtualKeyCode": 13} if key == "Enter" else {}
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, **more, **code)

    async def size(self, width: int, height: int, *, telephone: bool = False) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=telephone,
        )  # fmt: skip

    async def dark(self, dark: bool) -> None:
        value = "dark" if dark else "light"
        await self.call(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}]
        )

    async def picture(self, path: Path) -> None:
        answer = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))


@contextlib.asynccontextmanager
async def opened(place: Path) -> AsyncIterator[Page]:
    """A page of a browser of its own, whose files are in `place`."""
    found = program()
    assert found is not None
    place.mkdir(parents=True)
    with (place / "log").open("wb") as log:
        child = subprocess.Popen(
            [
                found, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
                f"--user-data-dir={place}", "about:blank",
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        port_file = place / "DevToolsActivePort"
        end = time.monotonic() + GIVE_UP_S
        while not (port_file.exists() and "\n" in port_file.read_text()):
            assert time.monotonic() < end and child.poll() is None, (place / "log").read_text()[-2000:]
            await asyncio.sleep(0.05)
        port = port_file.read_text().split("\n")[0]
        async with aiohttp.ClientSession() as client:
            async with client.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tabs = [one for one in await answer.json() if one["type"] == "page"]
            async with client.ws_connect(tabs[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await page.call(f"{domain}.enable")
                yield page
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(10)
        # Its helpers would write into their directory while it is being removed.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        shutil.rmtree(place, ignore_errors=True)
