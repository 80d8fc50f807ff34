"""Messages are signed as the specification says, taken or tried again, and tell no secret."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from akeso.clients.clock import SystemClock
from akeso.clients.webhook import Webhook, judge, seconds_asked, secrets, signed
from akeso.errors import AkesoError, PermanentError, TransientError
from akeso.protocols import Message
from akeso.settings import Settings
from akeso_lab.certificates import Authority, Subject

# The vector that the specification's own libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()
MESSAGE = Message("msg_1", {"type": "healing.verified", "data": {"said": "žluťoučký kůň"}})


def key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))


def test_the_signature_is_that_of_the_published_vector():
    body = b'{"test": 2432232314}'
    assert signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, [key(SECRET)]) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


class Receiver:
    """Answers with these, each a status and headers, the last one for ever."""

    def __init__(self, *answers: tuple[int, dict[str, str]]) -> None:
        self.answers = list(answers) or [(200, {})]
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.delay = 0.0

    async def take(self, request: web.Request) -> web.Response:
        self.seen.append((dict(request.headers), await request.read()))
        await asyncio.sleep(self.delay)
        status, headers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, headers=headers, text="<b>a receiver's secret</b>")


@asynccontextmanager
async def receiving(
    receiver: Receiver, file: Path, secret: str = SECRET, **settings: object
) -> AsyncGenerator[Webhook]:
    app = web.Application()
    app.router.add_post("/hooks/canary-path", receiver.take)
    app.router.add_post("/elsewhere", receiver.take)
    file.write_text(secret)
    async with TestServer(app) as server:
        url = str(server.make_url("/hooks/canary-path"))
        webhook = Webhook(settings_of(url, file, **settings), SystemClock())
        try:
            yield webhook
        finally:
            await webhook.close()


def settings_of(url: str, file: Path, **more: object) -> Settings:
    values = {"webhook_url": url, "webhook_secret_file": str(file), **more}
    return Settings.model_validate(values)


def verifies(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """As a receiver would, without our code."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mark = base64.b64encode(hmac.new(key(secret), content, hashlib.sha256).digest()).decode()
    return f"v1,{mark}" in headers["webhook-signature"].split(" ")


async def test_what_arrives_verifies_and_says_what_was_meant(tmp_path):
    receiver = Receiver()
    async with receiving(receiver, tmp_path / "secret") as webhook:
        await webhook.deliver(MESSAGE)
    [(headers, body)] = receiver.seen
    assert verifies(headers, body, SECRET) and not verifies(headers, body + b" ", SECRET)
    assert headers["webhook-id"] == "msg_1" and headers["Content-Type"] == "application/json"
    assert json.loads(body) == MESSAGE.body


async def test_a_changed_secret_holds_from_the_next_message_on_and_two_sign_twice(tmp_path):
    receiver, file = Receiver(), tmp_path / "secret"
    async with receiving(receiver, file) as webhook:
        await webhook.deliver(MESSAGE)
        file.write_text(f"{OTHER}\n")
        await webhook.deliver(MESSAGE)
        file.write_text(f"{OTHER}\n{SECRET}\n")
        await webhook.deliver(MESSAGE)
    signs = [[s for s in (SECRET, OTHER) if verifies(h, b, s)] for h, b in receiver.seen]
    assert signs == [[SECRET], [OTHER], [SECRET, OTHER]]


@pytest.mark.parametrize(
    "content", ["", "\n", "hunter2", SECRET.removeprefix("whsec_"), "whsec_c2hvcnQ=", "whsec_!!"]
)
async def test_without_a_proper_secret_nothing_is_sent_and_its_text_is_not_told(content, tmp_path):
    receiver = Receiver()
    async with receiving(receiver, tmp_path / "secret", content) as webhook:
        with pytest.raises(TransientError, match="must hold whsec_") as failed:
            await webhook.deliver(MESSAGE)
    assert receiver.seen == [] and "hunter2" not in str(failed.value)
    with pytest.raises(TransientError, match="can't be read"):
        secrets(tmp_path / "missing")


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_taken(status):
    judge("example.org", status, None)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422, 451])
def test_what_a_receiver_refuses_for_good_is_not_tried_again(status):
    with pytest.raises(PermanentError, match=str(status)):
        judge("example.org", status, None)


@pytest.mark.parametrize("status", [302, 308, 408, 425, 429, 500, 502, 503, 504, 199, 600])
def test_anything_else_is_tried_again_after_the_time_that_was_asked_for(status):
    with pytest.raises(TransientError) as failed:
        judge("example.org", status, 17.0)
    assert failed.value.retry_after == 17.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("-3", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 60.0),
        ("Wed, 21 Oct 2015 07:20:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("1e400", None),
    ],
)
def test_both_forms_of_retry_after_are_understood(header, seconds):
    assert seconds_asked(header, 1_445_412_420.0) == seconds


async def test_retry_after_reaches_the_caller(tmp_path):
    async with receiving(Receiver((503, {"Retry-After": "42"})), tmp_path / "s") as webhook:
        with pytest.raises(TransientError) as failed:
            await webhook.deliver(MESSAGE)
    assert failed.value.retry_after == 42


async def test_a_redirect_is_not_followed(tmp_path):
    receiver = Receiver((307, {"Location": "/elsewhere"}))
    async with receiving(receiver, tmp_path / "secret") as webhook:
        with pytest.raises(TransientError, match="redirects are not followed"):
            await webhook.deliver(MESSAGE)
    assert len(receiver.seen) == 1


async def test_a_slow_receiver_and_one_that_is_gone_are_tried_again(tmp_path):
    receiver = Receiver()
    receiver.delay = 5
    async with receiving(receiver, tmp_path / "s", webhook_timeout_seconds=0.05) as webhook:
        with pytest.raises(TransientError, match="gave no answer within"):
            await webhook.deliver(MESSAGE)
        receiver.delay = 0
    with pytest.raises(TransientError, match="can't be reached"):
        await webhook.deliver(MESSAGE)
    await webhook.close()


async def test_a_certificate_nobody_vouches_for_is_not_accepted(tmp_path):
    pair = Authority.create(tmp_path).issue("me", Subject("me", addresses=("127.0.0.1",)))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/", receiver.take)
    (tmp_path / "secret").write_text(SECRET)
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=context)
    async with server:
        url = f"https://127.0.0.1:{server.port}/"
        webhook = Webhook(settings_of(url, tmp_path / "secret"), SystemClock())
        try:
            with pytest.raises(TransientError, match="certificate that does not verify"):
                await webhook.deliver(MESSAGE)
        finally:
            await webhook.close()
    assert receiver.seen == []


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org", "example.org/hook", "https://", "https://me:canary@example.org/", "x"],
)
def test_a_url_one_cannot_post_to_is_refused_at_start_without_repeating_it(url, tmp_path):
    with pytest.raises(PermanentError, match="AKESO_WEBHOOK_URL") as failed:
        Webhook(settings_of(url, tmp_path / "secret"), SystemClock())
    assert "canary" not in str(failed.value)


def test_a_webhook_needs_both_url_and_secret():
    for half in ({"webhook_url": "https://example.org"}, {"webhook_secret_file": "/secret"}):
        with pytest.raises(PermanentError, match="set AKESO_WEBHOOK_URL and AKESO_WEBHOOK_SECRET"):
            Webhook(Settings.model_validate(half), SystemClock())


async def test_neither_secret_nor_path_nor_answer_is_in_any_text(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    for status in (307, 404, 410, 429, 500):
        receiver = Receiver((status, {"Location": "/elsewhere?canary-path"}))
        async with receiving(receiver, tmp_path / "secret") as webhook:
            with pytest.raises(AkesoError) as failed:
                await webhook.deliver(MESSAGE)
        told.append(str(failed.value))
    async with receiving(Receiver(), tmp_path / "secret") as gone:
        pass
    with pytest.raises(TransientError) as failed:
        await gone.deliver(MESSAGE)
    await gone.close()
    ours = [r.getMessage() for r in caplog.records if r.name != "aiohttp.access"]  # the server's
    text = "\n".join([*told, str(failed.value), *ours])
    assert "127.0.0.1" in text
    for canary in (SECRET, SECRET.removeprefix("whsec_"), "canary-path", "receiver's secret"):
        assert canary not in text
