"""One connection to the API server: credentials, timeouts, raw JSON requests and watches."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.config import ConfigException

from akeso.clients.kubernetes.login import credentials, log_in
from akeso.clients.kubernetes.raw import Json, part, parts, text
from akeso.clients.kubernetes.responses import MERGE_PATCH, Request, refusal
from akeso.errors import AkesoError, GoneError, StaleError, TransientError
from akeso.settings import Settings

__all__ = ["PAGE", "ApiServer", "Page", "connect", "credentials"]

log = logging.getLogger(__name__)

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PAGE = 500  # objects per page of a list, as client-go's pager
CONNECT_SECONDS = 5.0
# A rejected login is not repeated faster: credential plugins may be slow, and a wrong token
# stays wrong.
LOGIN_SECONDS = 10.0
NO_ANSWER = "none"

Login = Callable[[], Awaitable[ApiClient]]
Tally = Callable[[str, str], None]  # takes the verb and the HTTP status, or NO_ANSWER
Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Some objects of a list; `resource_version` is that of the list as a whole."""

    items: list[Json]
    resource_version: str


async def connect(settings: Settings) -> ApiServer:
    """A connection with the credentials that the settings name; sends nothing yet."""

    login = partial(log_in, settings)
    return ApiServer(await login(), login)


class ApiServer:
    """Requests in raw JSON. Raises the errors of `akeso.errors` and no others.

    `tally` hears of every request that was sent, for whoever counts them.
    """

    def __init__(self, client: ApiClient, login: Login) -> None:
        self.tally: Tally = lambda verb, code: None
        self._client = client
        self._login = login
        self._retired: ApiClient | None = None
        self._turn = asyncio.Lock()
        self._logged_in = asyncio.get_running_loop().time()

    async def close(self) -> None:
        await _close(self._client)
        if self._retired is not None:
            await _close(self._retired)

    async def get(self, path: str, query: Query | None = None, timeout: float = 30.0) -> Json:
        return await self._json(Request("GET", path, query or {}, timeout=timeout))

    async def version(self, timeout: float = 10.0) -> tuple[Json, str]:
        """What /version says, and the Date header of the answer: the server's own clock."""
        request = Request("GET", "/version", timeout=timeout)
        patience = aiohttp.ClientTimeout(timeout, sock_connect=CONNECT_SECONDS)
        response = await self._answer(request, patience)
        return await _object(request, response), response.headers.get("Date", "")

    async def pages(
        self, path: str, query: Query | None = None, limit: int = PAGE, timeout: float = 60.0
    ) -> AsyncGenerator[Page]:
        """A consistent list, page by page. StaleError where it outlived its snapshot."""
        wanted = dict(query or {})
        if limit:
            wanted["limit"] = str(limit)
        while True:
            found = await self.get(path, wanted, timeout)
            meta = part(found, "metadata")
            yield Page(parts(found, "items"), text(meta, "resourceVersion"))
            wanted["continue"] = text(meta, "continue")
            if not wanted["continue"]:
                return

    async def list_all(
        self, path: str, query: Query | None = None, timeout: float = 60.0
    ) -> list[Json]:
        """All objects of a (small) list; in one piece where the pages expired."""
        try:
            return [o async for p in self.pages(path, query, timeout=timeout) for o in p.items]
        except GoneError:
            raise
        except StaleError:
            whole = self.pages(path, query, limit=0, timeout=timeout)
            return [o async for p in whole for o in p.items]

    async def table(
        self, path: str, query: Query | None = None, timeout: float = 60.0
    ) -> list[Mapping[str, Any]]:
        """A list as its printer columns: cells by the column's name, and no objects."""
        wanted = {**(query or {}), "includeObject": "None"}
        request = Request("GET", path, wanted, timeout=timeout, accept=TABLE)
        found = await self._json(request)
        names = [text(column, "name") for column in parts(found, "columnDefinitions")]
        return [
            dict(zip(names, row.get("cells", ()), strict=False)) for row in parts(found, "rows")
        ]

    async def post(
        self, path: str, body: Json, query: Query | None = None, timeout: float = 30.0
    ) -> Json:
        return await self._json(Request("POST", path, query or {}, body, timeout=timeout))

    async def patch(
        self,
        path: str,
        body: Json | list[Json],
        query: Query | None = None,
        content_type: str = MERGE_PATCH,
        timeout: float = 30.0,
    ) -> Json:
        return await self._json(Request("PATCH", path, query or {}, body, content_type, timeout))

    async def delete(self, path: str, body: Json | None = None, timeout: float = 30.0) -> Json:
        return await self._json(Request("DELETE", path, {}, body, timeout=timeout))

    @asynccontextmanager
    async def watch(
        self, path: str, query: Query, silence: float
    ) -> AsyncGenerator[AsyncIterator[Json]]:
        """Entered once the server accepted; ends with it, or after `silence` s without a word."""
        request = Request("GET", path, {**query, "watch": "true"})
        patience = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=silence)
        response = await self._answer(request, patience)
        try:
            yield _events(request, response)
        finally:
            response.close()

    async def _json(self, request: Request) -> Json:
        patience = aiohttp.ClientTimeout(request.timeout, sock_connect=CONNECT_SECONDS)
        return await _object(request, await self._answer(request, patience))

    async def _answer(
        self, request: Request, patience: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """The response, where it is not a refusal; logs in again once where that may help."""
        client = self._client
        response = await self._send(client, request, patience)
        if response.status == 401:
            again = await self._log_in_again(client)
            if again and request.method == "GET":
                response.close()
                response = await self._send(self._client, request, patience)
        if response.status < 400:
            return response
        with _foreign(request):
            body = await response.read()
            raise refusal(request, response.status, body, response.headers)

    async def _send(
        self, client: ApiClient, request: Request, patience: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        verb = "WATCH" if request.query.get("watch") else request.method
        try:
            response = await self._sent(client, request, patience)
        except AkesoError:
            self.tally(verb, NO_ANSWER)
            raise
        self.tally(verb, str(response.status))
        return response

    async def _sent(
        self, client: ApiClient, request: Request, patience: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        untyped: Any = client
        with _foreign(request):
            method, url, headers, body, _ = await untyped.param_serialize(
                request.method,
                request.path,
                query_params=list(request.query.items()),
                header_params={"Content-Type": request.content_type, "Accept": request.accept},
                body=request.body,
                auth_settings=["BearerToken"],
            )
            answer = await untyped.call_api(method, url, headers, body, _request_timeout=patience)
            response: aiohttp.ClientResponse = answer.response
            return response

    async def _log_in_again(self, rejected: ApiClient) -> bool:
        """Reads token, certificates or plugin anew, once for all who were rejected.

        The old connections stay open until the next login: other requests are still on them.
        """
        async with self._turn:
            if self._client is not rejected:
                return True
            now = asyncio.get_running_loop().time()
            if now - self._logged_in < LOGIN_SECONDS:
                return False
            self._logged_in = now
            fresh = await self._login()
            if self._retired is not None:
                await _close(self._retired)
            self._retired, self._client = rejected, fresh
            log.info("The API server rejected our credentials; they were read again.")
            return True


async def _object(request: Request, response: aiohttp.ClientResponse) -> Json:
    with _foreign(request):
        found: Any = json.loads(await response.read())
    if not isinstance(found, dict):
        raise TransientError(f"{request}: the answer is no JSON object")
    return cast(Json, found)


@contextmanager
def _foreign(request: Request) -> Generator[None]:
    """Maps what aiohttp, TLS, JSON and credential plugins raise to ours."""
    try:
        yield
    except TimeoutError as e:
        raise TransientError(f"{request}: no answer in time") from e
    except (aiohttp.ClientError, OSError) as e:
        raise TransientError(f"{request}: no connection: {e}") from e
    except (ValueError, ConfigException) as e:
        raise TransientError(f"{request}: garbled: {e}") from e


async def _close(client: Any) -> None:  # ApiClient.close is not typed
    await client.close()


async def _events(request: Request, response: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    """Where nothing happens etcd may bring no bookmarks either: silence ends a watch, it is no
    error. The next one goes on from the same position and tells whether the server is there."""
    with _foreign(request), suppress(TimeoutError):
        async for line in response.content:
            event = part({"line": json.loads(line)}, "line")
            if not part(event, "object"):
                raise TransientError(f"{request}: garbled watch event")
            yield event
