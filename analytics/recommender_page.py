"""The operator's page about the recommender: what serves, how good it is, and whom it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.seller_admin import admin_link
from accounts.templatetags.people import public_name
from analytics.dashboard_operator import digits, recommender_scores
from analytics.methods.list_rules import AGES, KNOWN_GROUPS
from analytics.methods.rates import Rate
from analytics.models import ListExposure, ModelRun, RunOutcome, ServedRun, Task
from analytics.panels import Panel, Tile, moment_text
from analytics.rate_text import rate_text, share_text
from analytics.served_recommender import current, is_refused
from catalog.models import Course, CourseStatus

# Two rounds of the nightly fit: one may be missed, after two somebody should look.
STALE_AFTER = timedelta(hours=48)
N_VERSIONS = 20
N_SELLERS = 10
# Colours of series that are drawn beside each other; see static/js/dashboard.js.
TONES = ("", "warn", "third")
DAYS = 28


@dataclass(frozen=True)
class Notice:
    """What an operator should look at; `links` lead there."""

    title: str
    text: str
    links: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RecommenderPage:
    """What the page shows."""

    tiles: list[Tile]
    warnings: list[Notice]
    panels: list[Panel]

    @property
    def charts(self) -> dict[str, dict[str, Any]]:
        return {panel.key: panel.chart for panel in self.panels if panel.chart}


def recommender_page(*, now: datetime) -> RecommenderPage:
    """The page as it stands now. Counts of lists are those stored so far."""
    served = ServedRun.objects.select_related("run").filter(task=Task.RECOMMEND).first()
    run = served.run if served else None
    versions = list(
        ModelRun.objects.filter(
            task=Task.RECOMMEND, outcome__in=[RunOutcome.SERVED, RunOutcome.KEPT_OUT]
        ).order_by("-pk")[:N_VERSIONS]
    )
    shown = _shown(now)
    return RecommenderPage(
        tiles=_tiles(served, run, shown),
        warnings=_warnings(run, now),
        panels=[
            recommender_scores(),
            _methods_panel(run),
            _coverage_panel(versions),
            _newcomers_panel(run),
            _sellers_panel(run, shown),
            _weights_panel(run),
            _ages_panel(run, shown, now),
            _rare_panel(run),
        ],
    )


@dataclass(frozen=True)
class _Shown:
    """What lists showed in the last DAYS: counts by course, and of them to try a course out."""

    by_course: dict[int, int]
    n_explored: int
    seller_of: dict[int, int]
    published_at: dict[int, datetime | None]
    published: set[int]

    @property
    def n_shown(self) -> int:
        return sum(self.by_course.values())


def _shown(now: datetime) -> _Shown:
    since = timezone.localtime(now).date() - timedelta(days=DAYS - 1)
    rows = list(
        ListExposure.objects.filter(day__gte=since)
        .values("course")
        .annotate(shown=Sum("n_shown"), explored=Sum("n_explored"))
        .values_list("course", "shown", "explored")
    )
    courses = list(
        Course.objects.order_by().values_list("pk", "seller_id", "published_at", "status")
    )
    return _Shown(
        by_course={row[0]: row[1] for row in rows},
        n_explored=sum(row[2] for row in rows),
        seller_of={row[0]: row[1] for row in courses},
        published_at={row[0]: row[2] for row in courses},
        published={row[0] for row in courses if row[3] == CourseStatus.PUBLISHED},
    )


def _tiles(served: ServedRun | None, run: ModelRun | None, shown: _Shown) -> list[Tile]:
    if served is None or run is None:
        return [
            Tile(
                label=_("Serving"),
                value=_("nothing yet"),
                detail=_("The first fit runs tonight, or now by “manage.py rebuild”."),
            )
        ]
    score: dict[str, Any] = next((one for one in run.scores if one.get("method") == run.method), {})
    error = score.get("ndcg@10_se")
    bound = share_text(settings.RECOMMEND_EXPLORE_SHARE)
    return [
        Tile(
            label=_("Serving"),
            value=f"#{run.pk} {run.method}",
            detail=_("since %(since)s; data from %(first)s to %(last)s")
            % {
                "since": moment_text(served.since),
                "first": moment_text(run.window_start),
                "last": moment_text(run.window_end),
            },
        ),
        Tile(
            label=_("NDCG@10"),
            value=digits(score.get("ndcg@10")),
            detail=""
            if error is None
            else _("give or take %(error)s (standard error), on courses held out")
            % {"error": digits(error)},
        ),
        Tile(
            label=_("Courses shown in %(n)d days") % {"n": DAYS},
            value=rate_text(
                Rate(len(shown.published & shown.by_course.keys()), len(shown.published)),
                nobody=_("no course is on sale"),
            ),
            detail=_("in %(n)s places of lists") % {"n": shown.n_shown},
        ),
        Tile(
            label=_("Places for new courses"),
            value=rate_text(Rate(shown.n_explored, shown.n_shown), nobody=_("no list shown yet")),
            detail=_("at most %(bound)s by RECOMMEND_EXPLORE_SHARE") % {"bound": bound},
        ),
    ]


def _warnings(run: ModelRun | None, now: datetime) -> list[Notice]:
    found = []
    if run is not None and is_stale(run, now):
        found.append(
            Notice(
                _("The served recommender is older than two days."),
                _("Its fit finished on %(when)s. The runs since then say why.")
                % {"when": moment_text(run.finished_at or run.started_at)},
                [admin_link(run)],
            )
        )
    found += _unreadable(run)
    newest = ModelRun.objects.filter(task=Task.RECOMMEND).order_by("-pk").first()
    if newest is not None and newest.outcome == RunOutcome.FAILED:
        found.append(Notice(_("The last fit failed."), newest.message, [admin_link(newest)]))
    if newest is not None and newest.outcome == RunOutcome.KEPT_OUT:
        found.append(Notice(_("The last fit was kept out."), newest.message, [admin_link(newest)]))
    alarms = run.figures.get("alarms", []) if run else []
    courses = Course.objects.in_bulk([alarm["course"] for alarm in alarms])
    found += [
        Notice(
            _("A course looks pushed by made-up people."),
            _(
                "%(n_new)d learners are new or look made up (%(share)s of all people). It would "
                "come into %(unbraked)s of lists, was in %(before)s, and is held to %(now)s."
            )
            % {
                "n_new": alarm["n_new"],
                "share": share_text(alarm["share_new"]),
                "unbraked": share_text(alarm["lists_unbraked"]),
                "before": share_text(alarm["lists_before"]),
                "now": share_text(alarm["lists_now"]),
            },
            [admin_link(courses[alarm["course"]])],
        )
        for alarm in alarms
        if alarm["course"] in courses
    ]
    return found


def _unreadable(run: ModelRun | None) -> list[Notice]:
    """Where this process serves another version than it should. One that was served a moment ago
    may not have been looked for yet, and that is no fault."""
    if run is None or not run.model_file:
        return []
    version = current()
    if not is_refused(run.pk):
        return []
    if version is None:
        text = _("The model file of run #%(run)d cannot be read: everybody sees what is popular.")
    else:
        text = _("The model file of run #%(run)d cannot be read: run #%(other)d goes on serving.")
    return [
        Notice(
            _("The recommender that should serve cannot be loaded."),
            text % {"run": run.pk, "other": version.run_id if version else 0},
            [admin_link(run)],
        )
    ]


def is_stale(run: ModelRun, now: datetime) -> bool:
    """Whether two rounds of the nightly fit passed since the served one."""
    return (run.finished_at or run.started_at) < now - STALE_AFTER


def _methods_panel(run: ModelRun | None) -> Panel:
    metrics = {"ndcg@10": _("NDCG@10"), "recall@10": _("recall@10"), "coverage": _("coverage")}
    scores = run.scores if run else []
    return Panel(
        key="methods",
        title=_("Methods beside each other"),
        note=_("All were fitted on the same history and asked for the same courses held out."),
        headings=[_("method"), *metrics.values(), _("time to fit")],
        rows=[
            (
                score["method"],
                *(digits(score.get(name)) for name in metrics),
                _seconds_text(score.get("fit_seconds")),
            )
            for score in scores
        ],
        empty=_("no run was scored yet"),
        chart={
            "kind": "across",
            "unit": "",
            "labels": [score["method"] for score in scores],
            "series": [
                {
                    "name": label,
                    "tone": tone,
                    "values": [score.get(name) for score in scores],
                    "texts": [digits(score.get(name)) for score in scores],
                }
                for tone, (name, label) in zip(TONES, metrics.items(), strict=True)
            ],
        }
        if scores
        else None,
    )


def _seconds_text(seconds: float | None) -> str:
    """A length of time of which three digits matter: 0.004 s, 2.55 s."""
    return "–" if seconds is None else f"{seconds:.3g} s"


def _coverage_panel(versions: list[ModelRun]) -> Panel:
    told = [(run, run.figures["coverage"]) for run in versions if run.figures.get("coverage")]
    forward = told[::-1]

    def text(one: dict[str, Any]) -> str:
        return rate_text(Rate(one["n_shown"], one["n_courses"]), nobody=_("no course is on sale"))

    return Panel(
        key="coverage",
        title=_("Coverage by version"),
        note=_(
            "Courses that stand in at least one top-ten list of a sample of people, after the fit "
            "on everything."
        ),
        headings=[_("version"), _("courses"), _("people")],
        rows=[(f"#{run.pk}", text(one), one["n_people"]) for run, one in told[:8]],
        empty=_("no version told its coverage yet"),
        chart={
            "kind": "lines",
            "min": 0,
            "max": 100,
            "unit": "%",
            "labels": [f"#{run.pk}" for run, _one in forward],
            "series": [
                {
                    "name": _("coverage"),
                    "values": [_percent(one["share"]) for _run, one in forward],
                    "texts": [text(one) for _run, one in forward],
                }
            ],
        }
        if told
        else None,
    )


def _newcomers_panel(run: ModelRun | None) -> Panel:
    rows = run.figures.get("newcomers", []) if run else []
    labels = [_known_text(row["known"]) for row in rows]
    return Panel(
        key="newcomers",
        title=_("People of whom little is known"),
        note=_("NDCG@10 by how many courses were known of them, beside what is popular."),
        headings=[_("courses known"), _("recommender"), _("popularity"), _("people")],
        rows=[
            (label, digits(row["ndcg@10"]), digits(row["popularity"]), row["n"])
            for label, row in zip(labels, rows, strict=True)
        ],
        empty=_("no run was scored yet"),
        chart={
            "kind": "bars",
            "labels": labels,
            "series": [
                {"name": _("recommender"), "values": [row["ndcg@10"] for row in rows]},
                {"name": _("popularity"), "values": [row["popularity"] for row in rows]},
            ],
        }
        if rows
        else None,
    )


def _known_text(low: int) -> str:
    """A group of people by how many courses are known of them, of which `low` are the fewest."""
    high = next((bound - 1 for bound in KNOWN_GROUPS if bound > low), None)
    if high is None:
        return _("%(low)d and more") % {"low": low}
    return str(low) if low == high else _("%(low)d to %(high)d") % {"low": low, "high": high}


def _rare_panel(run: ModelRun | None) -> Panel:
    rare = run.figures.get("rare") if run else None
    rows = []
    if rare:
        rows = [
            (
                _("courses with fewer than %(n)d learners") % {"n": rare["fewer_than"]},
                digits(rare["recall@10"]),
                digits(rare["collaborative"]),
                rare["n"],
            ),
            (_("all courses"), digits(rare["recall_all"]), digits(rare["collaborative_all"]), "–"),
        ]
    return Panel(
        key="rare",
        title=_("Courses with few learners"),
        note=_("recall@10 of the recommender, and of what learners have in common alone."),
        headings=[_("courses"), _("recommender"), _("without content"), _("asked for")],
        rows=rows,
        empty=_("no run was scored yet"),
    )


def _sellers_panel(run: ModelRun | None, shown: _Shown) -> Panel:
    fitted = {
        one["seller"]: one["share"] for one in (run.figures.get("sellers", []) if run else [])
    }
    places: dict[int, int] = {}
    for course, n in shown.by_course.items():
        if course in shown.seller_of:
            seller = shown.seller_of[course]
            places[seller] = places.get(seller, 0) + n
    order = sorted(
        fitted.keys() | places.keys(),
        key=lambda one: (-places.get(one, 0), -fitted.get(one, 0), one),
    )
    names = {one.pk: public_name(one) for one in User.objects.filter(pk__in=order[:N_SELLERS])}
    n_all = sum(places.values())
    rows = [
        (
            names[seller],
            share_text(fitted[seller]) if seller in fitted else "–",
            rate_text(Rate(places.get(seller, 0), n_all), nobody=_("no list shown yet")),
        )
        for seller in order[:N_SELLERS]
        if seller in names
    ]
    others = order[N_SELLERS:]
    if others:
        n_others = sum(places.get(one, 0) for one in others)
        rows.append(
            (
                _("%(n)d others") % {"n": len(others)},
                share_text(sum(fitted.get(one, 0) for one in others)),
                rate_text(Rate(n_others, n_all), nobody=_("no list shown yet")),
            )
        )
    top = [seller for seller in order[:N_SELLERS] if seller in names]
    return Panel(
        key="sellers",
        title=_("Exposure by seller"),
        note=_(
            "Share of places in lists. One seller may have at most %(share)s of one list "
            "(RECOMMEND_SELLER_SHARE)."
        )
        % {"share": share_text(settings.RECOMMEND_SELLER_SHARE)},
        headings=[_("seller"), _("at the last fit"), _("shown in %(n)d days") % {"n": DAYS}],
        rows=rows,
        empty=_("no list shown yet"),
        chart={
            "kind": "across",
            "unit": "%",
            "labels": [names[seller] for seller in top],
            "series": [
                {
                    "name": _("at the last fit"),
                    "values": [_percent(fitted.get(one, 0)) for one in top],
                    "texts": [share_text(fitted.get(one, 0)) for one in top],
                },
                {
                    "name": _("shown in %(n)d days") % {"n": DAYS},
                    "tone": "warn",
                    "values": [_percent(places.get(one, 0) / max(n_all, 1)) for one in top],
                    "texts": [
                        rate_text(Rate(places.get(one, 0), n_all), nobody=_("no list shown yet"))
                        for one in top
                    ],
                },
            ],
        }
        if rows
        else None,
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 1)


def _ages_panel(run: ModelRun | None, shown: _Shown, now: datetime) -> Panel:
    fitted = run.figures.get("ages", []) if run else []
    bounds = list(zip((0, *AGES), (*AGES, None), strict=True))
    places = [0] * len(bounds)
    for course, n in shown.by_course.items():
        since = shown.published_at.get(course)
        days = (now - since).days if since else AGES[-1]
        places[sum(days >= end for end in AGES)] += n
    n_all = sum(places)
    labels = [
        _("%(low)d to %(high)d days") % {"low": low, "high": high}
        if high
        else _("%(low)d days and more") % {"low": low}
        for low, high in bounds
    ]
    by_low = {one["from_days"]: one for one in fitted}
    return Panel(
        key="ages",
        title=_("Exposure by age of the course"),
        note=_("Share of places in lists by how long a course has been on sale."),
        headings=[
            _("on sale for"), _("courses"), _("at the last fit"),
            _("shown in %(n)d days") % {"n": DAYS},
        ],
        rows=[
            (
                label,
                by_low[low]["n_courses"] if low in by_low else "–",
                share_text(by_low[low]["share"]) if low in by_low else "–",
                rate_text(Rate(n, n_all), nobody=_("no list shown yet")),
            )
            for label, (low, _high), n in zip(labels, bounds, places, strict=True)
        ]
        if fitted or n_all
        else [],
        empty=_("no list shown yet"),
    )  # fmt: skip


def _weights_panel(run: ModelRun | None) -> Panel:
    weights = run.parameters.get("weights") if run else None
    names = {
        "together": _("what goes together"),
        "next": _("what follows what"),
        "pairs": _("what follows two courses together"),
        "content": _("content, for courses with few learners"),
        "people": _("people of similar age and occupation"),
        "interest": _("chosen fields"),
        "week": _("popular this week"),
        "popular": _("popular"),
    }
    rows: list[tuple[Any, ...]] = [
        (names.get(name, name), f"{weight:g}") for name, weight in (weights or {}).items()
    ]
    if run and run.model_file:
        rows.append((_("model file"), run.model_file))
        rows.append(
            (_("SHA-256 of the model file"), format_html("<code>{}</code>", run.model_sha256))
        )
    return Panel(
        key="weights",
        title=_("What the served version is made of"),
        note=_("Weights that the fit found on courses held out; the rest stands with its run."),
        headings=[_("part"), _("value")],
        rows=rows,
        empty=_("nothing serves yet"),
    )
