"""A metrics endpoint whose numbers a test sets, scraped every second by the lab's Prometheus.

The lab scrapes added targets at its own pace (5 s); healing is timed in scrapes, so this job has
one of its own: tests then take a fifth of the time.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

from akeso_lab import Lab
from akeso_lab.locks import exclusive

JOB = "cluster-tests"
SCRAPE_SECONDS = 1
Series = tuple[str, tuple[tuple[str, str], ...]]


class Exporter:
    """Series by name and labels; `put` and `drop` hold from the next scrape on."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._values: dict[Series, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def put(self, name: str, value: float, **labels: str) -> None:
        """From now on the value is this one, whenever it is asked for."""
        self._put(name, (value, ""), labels)

    def put_now(self, name: str, value: float, **labels: str) -> None:
        """The value of this very moment, for what grows: on a busy machine a scrape comes up to a
        second after it, and a rate would be of that."""
        self._put(name, (value, f" {time.time() * 1000:.0f}"), labels)

    def _put(self, name: str, value: tuple[float, str], labels: Mapping[str, str]) -> None:
        with self._lock:
            self._values[name, tuple(sorted(labels.items()))] = value

    def backfill(self, name: str, points: Iterable[tuple[float, float]], **labels: str) -> None:
        """Samples of the past (Unix seconds, value), oldest first, all in one scrape. Prometheus
        takes none that are older than an hour."""
        with self._lock:
            for i, (at, value) in enumerate(points):
                series = name, (*sorted(labels.items()), ("", str(i)))
                self._values[series] = value, f" {at * 1000:.0f}"

    def drop(self, **labels: str) -> None:
        """Every series with these labels goes."""
        wanted = set(labels.items())
        with self._lock:
            self._values = {s: v for s, v in self._values.items() if not wanted <= set(s[1])}

    def text(self) -> str:
        with self._lock:
            found = self._values.items()
            lines = [f"{name}{_braced(dict(ls))} {v!r}{at}" for (name, ls), (v, at) in found]
        return "".join(f"{line}\n" for line in lines)


def _braced(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{k}={json.dumps(v)}" for k, v in labels.items() if k) + "}"


@contextmanager
def exporting(lab: Lab) -> Iterator[Exporter]:
    """An exporter of this process, known to the lab's Prometheus for as long as it lives."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = exporter.text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # a scrape that was given up is Prometheus' affair
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    exporter = Exporter(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    target = scraped(lab, str(os.getpid()), exporter.port, {})
    try:
        yield exporter
    finally:
        target()
        server.shutdown()
        thread.join()
        server.server_close()


def scraped(lab: Lab, name: str, port: int, labels: Mapping[str, str]) -> Callable[[], None]:
    """Adds a target to the job, and the job to Prometheus where it is missing; how to undo it.

    `labels` are set on every series; a `job` among them is what the series carry.
    """
    if lab.prometheus is None or lab.prometheus_config_dir is None:
        raise RuntimeError(f"lab {lab.name} has no Prometheus of its own")
    folder = lab.prometheus_config_dir / "scrape.d"
    targets = folder / JOB
    file = targets / f"{name}.json"
    with exclusive(lab.state / f".{JOB}.lock"):
        targets.mkdir(exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        group = {"targets": [f"127.0.0.1:{port}"], "labels": dict(labels)}
        unfinished.write_text(json.dumps([group]))
        unfinished.rename(file)
        wanted = yaml.safe_dump({"scrape_configs": [_job(str(targets / "*.json"))]})
        config = folder / f"{JOB}.yaml"
        if not config.exists() or config.read_text() != wanted:
            config.write_text(wanted)
        reload = urllib.request.Request(f"{lab.prometheus}/-/reload", method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(reload, timeout=30):
            pass
    return lambda: file.unlink(missing_ok=True)


def _job(files: str) -> dict[str, object]:
    return {
        "job_name": JOB,
        "honor_labels": True,
        "scrape_interval": f"{SCRAPE_SECONDS}s",
        "scrape_timeout": f"{SCRAPE_SECONDS}s",
        "file_sd_configs": [{"files": [files], "refresh_interval": "2s"}],
    }
