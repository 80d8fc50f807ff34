"""A receiver of webhooks: a real HTTP server that verifies what comes, without Akeso's code."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

KEY = bytes(range(100, 132))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
PATH = "/hooks/canary-of-the-path"


@dataclass
class Receiver:
    """What arrived. `then` happens with each message before it is answered.

    While it is `down` it takes nothing, and notes what it refused.
    """

    secret_file: Path
    url: str = ""
    ids: list[str] = field(default_factory=list[str])
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    forged: int = 0
    down: bool = False
    refused: list[str] = field(default_factory=list[str])  # the types of messages
    then: Callable[[], None] = lambda: None

    async def take(self, request: web.Request) -> web.Response:
        body, headers = await request.read(), request.headers
        if self.down:
            self.refused.append(json.loads(body)["type"])
            return web.Response(status=503)
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mark = base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
        if headers["webhook-signature"] != f"v1,{mark}":
            self.forged += 1
            return web.Response(status=401)
        self.ids.append(headers["webhook-id"])
        self.bodies.append(json.loads(body))
        self.then()
        return web.Response(status=204)

    def environment(self) -> dict[str, str]:
        """The operator's settings for it."""
        return {"AKESO_WEBHOOK_URL": self.url, "AKESO_WEBHOOK_SECRET_FILE": str(self.secret_file)}


@asynccontextmanager
async def receiving(folder: Path) -> AsyncGenerator[Receiver]:
    receiver = Receiver(folder / "webhook-secret")
    await asyncio.to_thread(receiver.secret_file.write_text, SECRET)
    app = web.Application()
    app.router.add_post(PATH, receiver.take)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url(PATH))
        yield receiver
