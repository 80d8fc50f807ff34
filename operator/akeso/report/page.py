"""The page of a report: one HTML file that asks for nothing from anywhere.

The template escapes everything but the plots, whose texts matplotlib escapes. Only whoever draws
imports this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from akeso.report import figure
from akeso.report.model import Report
from akeso.report.palette import OF_MOOD, variables
from akeso.report.words import clock, moment


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a story's index: a report's file and what it says. `proof` lines stand alone."""

    report: Report
    file: str


@dataclass(frozen=True, slots=True)
class Proof:
    """One claim of a story, and whether it held."""

    said: str
    holds: bool
    source: str


def page(report: Report) -> str:
    """The report as a page."""
    plots = [
        (panel, Markup(figure.svg(report, panel, index)))  # matplotlib escapes
        for index, panel in enumerate(report.panels)
    ]
    return render("page.html.j2", report=report, plots=plots)


def index(title: str, said: str, entries: Sequence[Entry], proofs: Sequence[Proof]) -> str:
    """The page that leads to several reports."""
    return render("index.html.j2", title=title, said=said, entries=entries, proofs=proofs)


def render(template: str, package: str = "akeso.report", **values: object) -> str:
    """A template of a package, which may extend those here."""
    loaders = [PackageLoader(name, "templates") for name in (package, "akeso.report")]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clock": clock, "moment": moment}
    return environment.get_template(template).render(
        colour=OF_MOOD, light=variables(0), dark=variables(1), **values
    )
