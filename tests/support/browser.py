"""A headless Chromium that tests look at pages with and click in, over its DevTools protocol.

It speaks over two pipes, messages ended by a zero byte: no port, and no WebSocket. Where there is
no Chromium the tests that need one are skipped (`needs_browser`).
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.support.raw import eventually

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
)
_PATIENCE = 90.0
_HIGH = 20  # above the two numbers that the browser wants its pipes at

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


class Browser:
    """One window of one browser, with a profile of its own below ``folder``."""

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM is not None
        orders, self._send = os.pipe()
        self._receive, answers = os.pipe()
        inner = [fcntl.fcntl(end, fcntl.F_DUPFD, _HIGH) for end in (orders, answers)]
        os.close(orders)
        os.close(answers)
        self._process = subprocess.Popen(
            [
                *("bash", "-c", f'exec "$@" 3<&{inner[0]} 4>&{inner[1]}', "bash"),
                *(CHROMIUM, *FLAGS, "--remote-debugging-pipe"),
                *(f"--user-data-dir={folder / 'profile'}", "about:blank"),
            ],
            pass_fds=inner,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in inner:
            os.close(end)
        self._heard = b""
        self._count = 0
        self._session = ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = str(attached["sessionId"])
        self._call("Page.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._send)
        os.close(self._receive)

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Do one thing; its result. Events on the way are dropped."""
        self._count += 1
        order: dict[str, object] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._send, json.dumps(order).encode() + b"\0")
        end = time.monotonic() + _PATIENCE
        while True:
            message = self._message(end)
            if message.get("id") == self._count:
                assert "error" not in message, (method, message)
                return dict(message["result"])

    def _message(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._heard:
            ready, _, _ = select.select([self._receive], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self._receive, 1 << 20)
            assert data, "the browser has gone"
            self._heard += data
        first, _, self._heard = self._heard.partition(b"\0")
        return dict(json.loads(first))

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is there."""
        self._call("Page.navigate", url=url)
        eventually(lambda: bool(self.run(f"location.href === {json.dumps(url)}")), _PATIENCE)
        self.settle()

    def settle(self) -> None:
        """Wait until the page is whole."""
        eventually(lambda: self.run("document.readyState") == "complete", _PATIENCE)

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page; None where the page is just being replaced."""
        found = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return found["result"].get("value")

    def text(self, selector: str) -> str:
        """What can be read in the first element that fits; '' where there is none."""
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def type(self, selector: str, text: str) -> None:
        """Put the caret into a field, empty it, and type."""
        self.click(selector)
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self._call("Input.insertText", text=text)
        self.run(f"document.querySelector({json.dumps(selector)}).blur()")  # it has changed

    def click(self, selector: str) -> None:
        """Press the mouse where the element is drawn."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=box[0],
                y=box[1],
                button="left",
                clickCount=1,
            )

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the window a size, and its owner a taste."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        taste = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[taste])

    def picture(self) -> bytes:
        """What the window shows, as PNG."""
        shot = self._call("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])
