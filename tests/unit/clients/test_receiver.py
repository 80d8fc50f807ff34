"""The receiver in the documentation takes what is signed, once, and nothing else."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import time
from pathlib import Path

import pytest

from akeso.clients.clock import SystemClock
from akeso.clients.webhook import Webhook
from akeso.errors import PermanentError, TransientError
from akeso.protocols import Message
from akeso.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "notifications.md"
SECRET, FORGED = "whsec_" + "A" * 32, "whsec_" + "B" * 32


async def test_the_receiver_in_the_documentation_takes_each_signed_message_once(tmp_path):
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    file = tmp_path / "secret"
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=environment, stdout=pipe, stderr=null
    )
    values = {"webhook_url": f"http://127.0.0.1:{port}/", "webhook_secret_file": str(file)}
    webhook = Webhook(Settings.model_validate(values), SystemClock())
    try:
        file.write_text(SECRET)
        await _once_it_listens(webhook, Message("msg_1", {"type": "first", "data": {}}))
        await webhook.deliver(Message("msg_1", {"type": "first", "data": {}}))
        file.write_text(FORGED)
        with pytest.raises(PermanentError, match="401"):
            await webhook.deliver(Message("msg_2", {"type": "forged", "data": {}}))
        file.write_text(f"{FORGED}\n{SECRET}")
        await webhook.deliver(Message("msg_3", {"type": "second", "data": {"message": "ok"}}))
    finally:
        await webhook.close()
        process.kill()
        said, _ = await process.communicate()
    assert said.decode().splitlines() == ["first None", "second ok"]


async def _once_it_listens(webhook: Webhook, message: Message) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            return await webhook.deliver(message)
        except TransientError:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
