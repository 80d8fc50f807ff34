"""The page and the picture: whole, self-contained, and nothing from a cluster is markup in them."""

from __future__ import annotations

import re
import struct
from datetime import timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from akeso.report.figure import picture
from akeso.report.model import Panel, Report, Role, Series, Unit
from akeso.report.page import Entry, Proof, index, page
from akeso.report.plot import EMPTY
from unit.cli.objects import policy
from unit.report.samples import OPENED, Prometheus, healed, leak, leaking, row, told

HOSTILE = "</svg><script>alert(1)</script>\"'&amp; $x^2$ --> \x00\x1b[31m 日本 %s {{ 7*7 }}"
_SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


def shape(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


class Elements(HTMLParser):
    """Every element's name and attributes, and that each one that opens also closes."""

    _ALONE = ("meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self._ALONE:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.found}


def hostile() -> Report:
    """Every text that comes from a cluster is what nobody should ever write."""
    report = told(healed(), Prometheus(leaking()))
    text = dict.fromkeys(("kind", "target", "policy", "signal", "title", "badge", "said"), HOSTILE)
    panel = report.panels[0].model_copy(
        update={
            "title": HOSTILE,
            "query": HOSTILE,
            "series": tuple(
                s.model_copy(update={"label": HOSTILE, "remark": HOSTILE})
                for s in report.panels[0].series
            ),
        }
    )
    return report.model_copy(
        update={
            **text,
            "panels": (panel,),
            "notes": (HOSTILE,),
            "moments": tuple(
                m.model_copy(update={"what": HOSTILE, "said": HOSTILE, "mark": HOSTILE})
                for m in report.moments
            ),
            "evidence": tuple(f.model_copy(update={"said": HOSTILE}) for f in report.evidence),
            "guards": tuple(
                g.model_copy(update={"guard": HOSTILE, "said": HOSTILE}) for g in report.guards
            ),
            "attempts": tuple(
                a.model_copy(
                    update={
                        "healer": HOSTILE,
                        "said": HOSTILE,
                        "actions": tuple(x.model_copy(update={"said": HOSTILE}) for x in a.actions),
                    }
                )
                for a in report.attempts
            ),
        }
    )


def test_the_page_has_everything_and_every_element_closes():
    report = told(healed(), Prometheus(leaking()))
    text = page(report)
    Elements(text)
    for said in (report.title, "evict pod web-6f7c9d4b8-x2k4z", "RestartPods", "rest until 10:00"):
        assert said in text
    for said in ("limit 128 MiB", "failure expected", "verified", "forecast made of the samples"):
        assert said in text


@pytest.mark.parametrize("made", [hostile, lambda: told(healed(), Prometheus(leaking()))])
def test_a_page_loads_nothing_and_runs_nothing(made: object):
    assert callable(made)
    elements = Elements(page(made()))
    assert not elements.names & {"script", "img", "link", "iframe", "object", "embed", "base"}
    for name, attributes in elements.found:
        assert not any(key.startswith("on") for key in attributes)
        for key in ("src", "href", "xlink:href"):
            assert (attributes.get(key) or "#").startswith("#"), (name, attributes)
    policies = [a for n, a in elements.found if "content-security-policy" in str(a).lower()]
    assert "default-src 'none'" in str(policies[0]["content"])
    assert "url(" not in _SVG.sub("", page(made()))


def test_whatever_a_cluster_says_is_text():
    text = page(hostile())
    elements = Elements(text)
    assert "script" not in elements.names
    assert "&lt;script&gt;" in text
    assert "{{ 7*7 }}" in text
    for drawn in _SVG.findall(text):
        ElementTree.fromstring(drawn.replace("\x00", "").replace("\x1b", ""))


def test_the_same_report_is_the_same_page_and_picture():
    report = told(healed(), Prometheus(leaking()))
    assert page(report) == page(report)
    assert picture(report) == picture(report)


def test_both_themes_have_every_colour_that_a_plot_uses():
    text = page(told(healed(), Prometheus(leaking())))
    used = set(re.findall(r"var\(--(\w+)\)", text))
    light, dark = text.split("prefers-color-scheme: dark")[:2]
    assert used - {"mood"} <= set(re.findall(r"--(\w+):", light))
    assert used - {"mood"} <= set(re.findall(r"--(\w+):", dark))
    assert not re.search(r"#[0-9a-f]{6}", "".join(_SVG.findall(text)))


@pytest.mark.parametrize("made", [hostile, lambda: told(healed(), Prometheus(leaking()))])
def test_the_picture_fits_a_chat(made: object):
    assert callable(made)
    assert shape(picture(made())) == (1200, 675)


def test_a_page_without_series_says_why_and_where_to_get_them():
    text = page(told(healed()))
    assert EMPTY in text
    assert "no Prometheus was given" in text
    assert "--prometheus-url" in text
    assert shape(picture(told(healed()))) == (1200, 675)


def test_a_healing_with_next_to_nothing_on_record_is_a_page_too():
    bare = leak(
        {
            "value": None,
            "threshold": None,
            "probabilityPercent": None,
            "timeToThresholdSeconds": None,
            "pods": [],
        }
    )
    for policies in ((), (policy(),)):
        report = told(bare, None, policies)
        text = page(report)
        Elements(text)
        assert "None: nothing was written." in text
        assert "nothing has been judged yet" in text
        assert shape(picture(report)) == (1200, 675)


@pytest.mark.parametrize(
    "values",
    [(0.0, 0.0), (-5.0, -1.0), (1e-12, 1e-9), (1e300, 2e300), (5.0, 5.0)],
)
@pytest.mark.parametrize("unit", Unit)
def test_any_numbers_can_be_drawn(values: tuple[float, float], unit: Unit):
    low, high = values
    start = OPENED.timestamp()
    series = Series(label="x", role=Role.OTHER, points=((start, low), (start + 9_000_000, high)))
    report = told(healed())
    panel = Panel(title="t", unit=unit, query="", step=60, series=(series,), threshold=low)
    drawn = report.model_copy(update={"panels": (panel,)})
    assert len(page(drawn)) < 200_000
    assert shape(picture(drawn)) == (1200, 675)


def test_where_nothing_was_measured_the_line_is_broken():
    report = told(healed())
    start = OPENED.timestamp()
    points = ((start, 1.0), (start + 5, 1.0), (start + 100, 2.0), (start + 105, 2.0))
    series = Series(label="x", role=Role.CONCERNED, points=points)
    panel = Panel(title="t", unit=Unit.PLAIN, query="", series=(series,))

    def moves(step: float) -> int:
        update = {"panels": (panel.model_copy(update={"step": step}),)}
        paths = re.findall(r'<path d="([^"]*)"', page(report.model_copy(update=update)))
        return max(path.count("M ") for path in paths)

    assert moves(0.0) == 1
    assert moves(5.0) == 2


def test_the_index_leads_to_every_report():
    report = told(healed())
    proofs = [Proof("it held <b>", True, "audit log"), Proof("it did not", False, "status")]
    text = index("A demo", "today", [Entry(report, "a b.html"), Entry(hostile(), "x.html")], proofs)
    elements = Elements(text)
    assert [a["href"] for n, a in elements.found if n == "a"] == ["a%20b.html", "x.html"]
    assert "it held &lt;b&gt;" in text
    assert [a.get("class") for n, a in elements.found if n == "li"] == ["yes", "no"]
    assert "None was opened." in index("A demo", "today", [], proofs)


def test_a_plot_of_a_month_has_few_ticks():
    days = [row("web-6f7c9d4b8-x2k4z", -600, 600, lambda _: 1.0)]
    report = told(healed(), Prometheus(days))
    first = report.moments[0]
    late = first.model_copy(update={"at": first.at + timedelta(days=900), "mark": "late"})
    text = page(report.model_copy(update={"moments": (*report.moments, late)}))
    assert text.count('id="xtick_') <= 9
