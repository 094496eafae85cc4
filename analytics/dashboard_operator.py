"""The operator's part of the overview: models, stages of viewers, background jobs."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Max
from django.urls import reverse
from django.utils.translation import gettext as _

from analytics.models import ModelRun, Profile, RunOutcome, Stage, Task
from analytics.panels import Job, Panel, moment_text

N_VERSIONS = 20
N_TABLE_ROWS = 8
# Of fewer people nothing is said, so that nobody is recognised.
SMALLEST_GROUP = 10


def job_outcomes() -> list[Job]:
    """The last run of every task in the order of the tasks, also of those that never ran."""
    newest = ModelRun.objects.order_by().values("task").annotate(newest=Max("pk"))
    runs = {
        run.task: run
        for run in ModelRun.objects.filter(pk__in=newest.values("newest")).defer(
            "scores", "parameters"
        )
    }
    return [_job(task, runs.get(task.value)) for task in Task]


def _job(task: Task, run: ModelRun | None) -> Job:
    if run is None:
        return Job(
            name=str(task.label),
            outcome="never",
            label=_("never ran"),
            when="–",
            detail="",
            address="",
            is_failed=False,
        )
    return Job(
        name=str(task.label),
        outcome=run.outcome,
        label=run.get_outcome_display(),
        when=moment_text(run.finished_at or run.started_at),
        detail=run.message,
        address=reverse("admin:analytics_modelrun_change", args=[run.pk]),
        is_failed=run.outcome == RunOutcome.FAILED,
    )


def operator_panels() -> list[Panel]:
    """Scores of the recommender and of the forecast by version, and the stages of viewers."""
    return [
        recommender_scores(),
        _scores_panel(
            Task.CONVERSION,
            title=_("Forecast by version"),
            note=_("Log-loss on later sessions less that of the mean: below zero is better."),
            metrics={"log_loss_vs_mean": _("log-loss less that of the mean")},
        ),
        _stages_panel(),
    ]


def recommender_scores() -> Panel:
    """NDCG@10 and coverage of the recommender by version."""
    return _scores_panel(
        Task.RECOMMEND,
        title=_("Recommender by version"),
        note=_(
            "NDCG@10 on courses held out from the fit, of the method that the run chose, and "
            "coverage: the share of courses that anybody is recommended."
        ),
        metrics={"ndcg@10": _("NDCG@10"), "coverage": _("coverage")},
        least=0,
    )


def _scores_panel(
    task: Task, *, title: str, note: str, metrics: dict[str, str], least: float | None = None
) -> Panel:
    """The `metrics` of a task by version; `least` is where the plot's axis begins, None for
    just below the lowest."""
    runs = ModelRun.objects.filter(
        task=task, outcome__in=[RunOutcome.SERVED, RunOutcome.KEPT_OUT]
    ).order_by("-pk")[:N_VERSIONS]
    scored = [(run, score) for run in runs if (score := _score_of_method(run)) is not None]
    forward = scored[::-1]
    return Panel(
        key=f"scores-{task.value}",
        title=title,
        note=note,
        headings=[_("version"), _("method"), *metrics.values(), _("outcome")],
        rows=[
            (
                f"#{run.pk}",
                run.method,
                *(digits(score.get(metric)) for metric in metrics),
                run.get_outcome_display(),
            )
            for run, score in scored[:N_TABLE_ROWS]
        ],
        empty=_("no run was scored yet"),
        chart={
            "kind": "lines",
            "min": least,
            "labels": [f"#{run.pk}" for run, _score in forward],
            "series": [
                {
                    "name": name,
                    "values": [score.get(metric) for _run, score in forward],
                    "texts": [digits(score.get(metric)) for _run, score in forward],
                }
                for metric, name in metrics.items()
            ],
        }
        if scored
        else None,
        more=f"{reverse('admin:analytics_modelrun_changelist')}?task__exact={task.value}",
    )


def _score_of_method(run: ModelRun) -> dict[str, Any] | None:
    for score in run.scores:
        if score.get("method") == run.method:
            return score
    return None


def digits(value: float | None) -> str:
    """A score with four digits, a dash for none."""
    return "–" if value is None else f"{value:.4f}"


def _stages_panel() -> Panel:
    """How many viewers are in each stage; small groups are left unsaid."""
    counts = dict(
        Profile.objects.order_by()
        .values_list("stage")
        .annotate(n=Count("pk"))
        .values_list("stage", "n")
    )
    groups = [(stage.label, counts.get(stage.value, 0)) for stage in Stage]
    said = [(str(label), n) for label, n in groups if n >= SMALLEST_GROUP]
    return Panel(
        key="stages",
        title=_("Stages of viewers"),
        note=_("Groups of fewer than %(n)d people are not counted out.") % {"n": SMALLEST_GROUP},
        headings=[_("stage"), _("viewers")],
        rows=[
            (
                str(label),
                n if n >= SMALLEST_GROUP else _("fewer than %(n)d") % {"n": SMALLEST_GROUP},
            )
            for label, n in groups
        ]
        if any(counts.values())
        else [],
        empty=_("no profile was built yet"),
        chart={
            "kind": "bars",
            "labels": [label for label, _n in said],
            "series": [{"name": _("viewers"), "values": [n for _label, n in said]}],
        }
        if said
        else None,
        more=reverse("admin:analytics_profile_changelist"),
    )
