"""A Prometheus over HTTP that knows some series, counts what it is asked, and can break."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Series = tuple[Mapping[str, str], Callable[[float], float | None]]


class Server:
    """`series` by a word of the query that asks for them; `fails` may answer a request instead."""

    def __init__(self, series: Mapping[str, list[Series]]) -> None:
        self.series = series
        self.asked: list[tuple[str, float, float]] = []
        self.headers: list[Mapping[str, str]] = []
        self.fails: Callable[[int], tuple[int, str] | None] = lambda _: None
        self.most_points = 11_000
        self.url = ""

    def answer(self, form: Mapping[str, str]) -> tuple[int, str]:
        query, start, end = form["query"], float(form["start"]), float(form["end"])
        step = float(form["step"])
        self.asked.append((query, start, end))
        failed = self.fails(len(self.asked))
        if failed is not None:
            return failed
        if (end - start) / step > self.most_points:
            said = "exceeded maximum resolution of 11,000 points per timeseries"
            return 400, json.dumps({"status": "error", "errorType": "bad_data", "error": said})
        times = [start + i * step for i in range(int((end - start) / step) + 1)]
        result: list[dict[str, Any]] = []
        for word, series in self.series.items():
            if word in query:
                for labels, value_at in series:
                    values = [[t, repr(v)] for t in times if (v := value_at(t)) is not None]
                    if values:
                        result.append({"metric": dict(labels), "values": values})
        data = {"resultType": "matrix", "result": result}
        return 200, json.dumps({"status": "success", "data": data})

    def of(self, word: str) -> list[tuple[float, float]]:
        """The spans that were asked for with this word in the query."""
        return [(start, end) for query, start, end in self.asked if word in query]


@contextmanager
def serving(server: Server) -> Generator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            form = dict(parse_qsl(urlsplit(self.path).query))
            length = int(self.headers.get("Content-Length") or 0)
            form |= dict(parse_qsl(self.rfile.read(length).decode()))
            server.headers.append(dict(self.headers))
            status, text = server.answer(form)
            raw = text.encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)
            except OSError:
                pass  # whoever asked was killed

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{listening.server_port}"
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
