"""Every constant that decides, with its unit, its default and the reason for it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from akeso_predictors.checks import InputError
from akeso_predictors.grid import Grid
from akeso_predictors.trees import Trees, shipped


@dataclass(frozen=True, slots=True)
class TrendSettings:
    """What the trend bank assumes before it has seen a series. Shares are of the limit (0..1)."""

    # What a fit sees: the newest rows one by one, so that the end of a rise is seen at once; older ones as
    # means, so that a slow rise is told from its own steps. (Points, rows of each), newest first: together
    # 1,320 rows, 5.5 h at 15 s.
    fine_rows: int = 120
    scales: tuple[tuple[int, int], ...] = ((60, 4), (60, 16))
    # But no more seconds than these: with more, the flank of a day of traffic is a steady rise.
    seen: float = 14_400.0
    # Rows that are looked at for every series, before anything is fitted.
    window_rows: int = 240
    # Measurement noise that is assumed at least: a perfectly quiet series (kubelet pages, rounded
    # percentages) would otherwise make any wiggle infinitely significant.
    noise_floor: float = 0.002
    # A lone row this far above (below) both neighbours is a spike, not growth.
    spike: float = 0.05
    # A trend that has so much of its way to the limit behind it as share B goes on to the end with
    # probability B ** power: the longer it has lasted, the longer it lasts (Gott 1993). A power of 1 would be
    # complete ignorance, 0 believes every trend for ever. Chosen, as those below, on the development
    # half of bench/exhaustion.py.
    persistence: float = 0.2
    # Most rises that end (jobs, ramps, warm-ups, first fills) do so within an hour or two; what lasts longer
    # is mostly a leak. The power is larger by `patience`, which falls to its half at an age of `lasting`
    # seconds. A rise younger than `watched` seconds gets less of it.
    patience: float = 0.15
    lasting: float = 3600.0
    watched: float = 450.0
    # A rise of a few minutes is mostly a ramp to another level (connections that surge, caches that fill). The
    # power is larger by `rash`, which falls to its half at an age of `young` seconds; but not of a rise that
    # has lasted for the share `newborn` of its leg.
    rash: float = 1.6
    young: float = 250.0
    newborn: float = 0.5
    # This, and what trees learned, holds wholly at a scrape of `usual` seconds or more and not at all at one of
    # `brisk`: who looks that often watches what fails within minutes, and would hear of it too late.
    usual: float = 15.0
    brisk: float = 5.0
    # A slow rise that was not seen to begin from a rest, at a level where no container is born, is more
    # often one tooth of a saw whose first tooth we see than a leak: its power is larger by so much.
    # A rest of `1 / rested` of the rise's own length is enough, births lie below `born` of the limit.
    cyclic: float = 0.6
    rested: float = 2.0
    born: float = 0.2
    # Peaks (and floors) scatter by this much, and by this share of the height of the swings, before
    # their growth means anything.
    scatter: float = 0.005
    wear: float = 0.03
    # Floors scatter more: the one that was seen may not have been the deepest.
    floor_wear: float = 3.0
    # Residual innovations above this are bursts that nobody can predict: abstain.
    bursty: float = 0.06
    # Prior weights of the families of shapes (they are normalised). Most series are flat and most
    # rises end; the order of magnitude matters, doubling one changes no decision on the bench.
    # Flat; a step; a rise from a rest that ended; a rise since the leg began that ended; growth that
    # saturates; steady growth; growth that began within the window, and the same bent down or
    # curved up; growth that accelerates since the leg began.
    prior_flat: float = 0.30
    prior_step: float = 0.10
    prior_ramp: float = 0.10
    prior_stop: float = 0.15
    prior_saturate: float = 0.15
    prior_line: float = 0.15
    prior_onset: float = 0.10
    prior_bend: float = 0.10
    prior_curve: float = 0.02
    prior_accelerate: float = 0.05

    @property
    def grid(self) -> Grid:
        """The points that a fit sees."""
        return Grid(self.fine_rows, self.scales)

    def learned(self, step: float) -> float:
        """Share of what holds at a scrape of `usual` seconds that holds at one of `step`."""
        return min(max((step - self.brisk) / (self.usual - self.brisk), 0.0), 1.0)

    @property
    def prior_total(self) -> float:
        """Sum of the prior weights."""
        weights: list[float] = [
            getattr(self, f.name) for f in fields(self) if f.name.startswith("prior_")
        ]
        return sum(weights)


# What p* may be.
MIN_BAR, MAX_BAR = 0.05, 0.99


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """When a forecast becomes an alarm. Shares are of the limit (0..1), times in seconds."""

    trend: TrendSettings = field(default_factory=TrendSettings)
    # What became of rises with such traits revises the odds (bench/odds.py), not of those that have lasted for all of
    # their leg and wholly only of those that a rest of the share `newborn` preceded. None: nothing is revised.
    trees: Trees | None = field(default_factory=shipped)
    # Rows kept per series: a day at one minute, two hours at five seconds.
    capacity_rows: int = 1440
    # Samples of a leg before anything is claimed: three parameters and some residuals.
    min_samples: int = 8
    # New samples since a restart, a rollout or our own action before an alarm (guardrails.md).
    min_new_samples: int = 10
    # And at least this long: ordinary start-ups fill their heap within the first minute, and at a
    # scrape of 5 s ten samples are over before that.
    min_age: float = 90.0
    # What acting costs (a restart that was not needed, and one that was), and what a failure costs
    # that nobody prevents, in whatever unit: only their ratio counts. Acting pays from the
    # probability p* = cost_of_acting / cost_of_failing on; 0.8 because a needless restart costs
    # less than an OOM kill, but is not free. p* lies between MIN_BAR and MAX_BAR: below, noise would
    # act, and above nothing ever would.
    cost_of_acting: float = 0.8
    cost_of_failing: float = 1.0
    # "P >= threshold in 3 of 4 evaluations": one odd sample neither raises nor clears an alarm.
    votes: int = 3
    votes_of: int = 4
    # "... or >= .9 in 2 of 2": certainty need not wait.
    sure_probability: float = 0.9
    sure_votes: int = 2
    # Act at this level, or earlier when failure may come before help: q10(TTF) < action + slack. Each
    # two points more spare a fortieth of the false alarms and cost half a minute of lead.
    act_level: float = 0.72
    action: float = 120.0
    slack: float = 900.0
    # Where the limit is reached within so few rows in nine of ten cases, no help comes in time any more: no
    # alarm begins there (`by_peaks`: a bound of load may be passed for a moment). One that is on goes on.
    too_late_rows: int = 4
    # q90/q10 of the time to failure: a forecast wider than this is no basis for acting.
    max_spread: float = 6.0
    # Missing scrapes after which a series is stale. A gap does not end how a container grows, and who replaced
    # it tells so: only one of so many rows starts a leg.
    missed_scrapes: int = 3
    gap_rows: int = 40
    # A fall this deep without a restart shows that the peak before it was safe (a GC turn).
    turn_drop: float = 0.08
    # A fall this deep is a new regime: what was fitted before it no longer holds.
    leg_drop: float = 0.25
    # The forecast must rise this far above the safe peaks to alarm; after n peaks by so many n-th
    # of their usual height more; and by no more than this share of the room above them.
    safe_margin: float = 0.03
    safe_spread: float = 0.1
    safe_room: float = 0.8
    # Where a series swings (a turn was seen), its next peak passes the limit, not its mean: one
    # touch of a memory limit kills. A bound of load may be touched, it must not be stayed above.
    by_peaks: bool = True
    # A container that ended this near its limit, or would have got there within the rows that nobody
    # saw, had reached it.
    limit_near: float = 0.03
    # The kernel counts more than the working set has (file pages, its own memory), so it kills when the last
    # sample stood up to this far below the limit (tests/node/test_forecasts.py): the 10 % quantile of the
    # time to it is that of so much less of the way.
    killed_below: float = 0.02
    # Former rises as fast as this one count for how it ends: at the limit, or below it but not below
    # the present level. A rise `alike` times as fast or as slow counts exp(-1/2); what the trend says
    # counts as much as one of them.
    alike: float = 2.0
    # So many former rises to the limit, more than others, are reason to act at any level.
    repeated: float = 1.5
    # A relative change of the limit above this is one: lowered it starts a leg, raised it makes former
    # votes void (floats that were printed differ less).
    limit_change: float = 0.001
    # A series has levelled off when its highest value of the newer half of so many rows at least is
    # hardly above that of the older half: by less than this share of the limit, or where it has
    # turned (teeth of a saw differ) by less than the other.
    level_rows: int = 24
    level_margin: float = 0.01
    turned_margin: float = 0.05
    # A sample from further in the future than this betrays a broken clock: the series begins anew.
    clock_ahead: float = 60.0
    # Series silent for this long are evicted, so that memory stays bounded.
    evict_after: float = 3600.0

    @property
    def furthest(self) -> int:
        """Rows before the newest that may still vote: all votes of a leg across the gaps it may have."""
        return self.votes_of * (self.missed_scrapes + 1)

    @property
    def known_rows(self) -> int:
        """Rows that every evaluation finds in a ring, those of earlier rows too."""
        return self.capacity_rows - self.furthest

    @property
    def bar(self) -> float:
        """p*: from this probability on acting costs less than the failure that is to be expected."""
        return self.cost_of_acting / self.cost_of_failing

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, int | float) and value < 0:
                raise InputError(f"settings.{item.name} must not be negative, got {value}")
        if not MIN_BAR * self.cost_of_failing <= self.cost_of_acting:
            raise InputError(
                f"settings.cost_of_acting must be at least {MIN_BAR:g} of cost_of_failing"
                f" ({self.cost_of_failing:g}), got {self.cost_of_acting:g}"
            )
        if not self.cost_of_acting <= MAX_BAR * self.cost_of_failing:
            raise InputError(
                f"settings.cost_of_acting must be at most {MAX_BAR:g} of cost_of_failing"
                f" ({self.cost_of_failing:g}), got {self.cost_of_acting:g}"
            )
        if not self.votes <= self.votes_of:
            raise InputError(
                f"settings.votes ({self.votes}) must not exceed votes_of ({self.votes_of})"
            )
        if not self.trend.brisk < self.trend.usual:
            raise InputError(
                f"settings.trend.brisk ({self.trend.brisk:g}) must be less than usual ({self.trend.usual:g})"
            )
        if self.capacity_rows < self.trend.window_rows:
            raise InputError("settings.capacity_rows must not be less than trend.window_rows")
        if self.known_rows < 1:
            raise InputError(
                f"settings.capacity_rows ({self.capacity_rows}) must exceed votes_of * (missed_scrapes + 1)"
                f" ({self.furthest}), or earlier rows have nothing to be judged by"
            )
