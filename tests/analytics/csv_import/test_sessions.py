"""`import_csv sessions`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError

from analytics.models import FigureSource, SessionFigures
from streams.models import LiveSession, SessionStatus
from tests.factories import SellerFactory

pytestmark = [pytest.mark.django_db, pytest.mark.mariadb]


def test_it_stores_a_session_that_is_over_with_its_figures(import_csv, csv_file):
    seller = SellerFactory(email="s@example.com")
    path = csv_file(
        "external_id,title,started_at,ended_at,n_viewers,n_buyers,n_views,n_clicks,"
        "n_impressions,n_orders,peak_viewers,watched_seconds,gmv,net_sales\n"
        "L_1,Evening,2026-01-31 20:00,2026-01-31 21:30,1000,100,1500,400,3000,120,640,"
        "900000,11880.00,11000\n"
    )
    import_csv("sessions", path, "--seller", "s@example.com")
    session = LiveSession.objects.get(external_id="L_1")
    assert (session.seller, session.status) == (seller, SessionStatus.ENDED)
    assert session.scheduled_at == session.started_at
    assert session.ended_at - session.started_at == timedelta(minutes=90)
    figures = SessionFigures.objects.get(live_session=session)
    assert figures.source == FigureSource.IMPORTED
    assert figures.conversion.percent == "10.0%"
    assert (figures.n_orders, figures.peak_viewers) == (120, 640)
    assert (figures.gmv, figures.net_sales) == (Decimal("11880.00"), Decimal("11000.00"))


def test_it_takes_a_length_for_an_end_and_few_counts_for_enough(import_csv, csv_file):
    path = csv_file("external_id,title,started_at,n_viewers,n_buyers\nL_1,A,2026-01-31,50,5\n")
    import_csv("sessions", path, "--set", "planned_minutes=60")
    session = LiveSession.objects.get()
    assert session.ended_at - session.started_at == timedelta(hours=1)
    figures = SessionFigures.objects.get()
    assert (figures.n_views, figures.n_orders, figures.peak_viewers) == (50, 5, None)


def test_it_corrects_the_figures_of_a_session_that_comes_again(import_csv, csv_file):
    header = "external_id,title,started_at,ended_at,n_viewers,n_buyers\n"
    row = "L_1,A,2026-01-31 20:00,2026-01-31 21:00"
    import_csv("sessions", csv_file(f"{header}{row},50,5\n"))
    outcome = import_csv("sessions", csv_file(f"{header}{row},60,6\n{row},60,6\n"))
    assert outcome.last.startswith("1 rows stored, 1 already there, 0 refused")
    figures = SessionFigures.objects.get()
    assert (figures.n_viewers, figures.n_buyers) == (60, 6)


def test_it_needs_to_know_how_long_a_session_was(import_csv, csv_file):
    path = csv_file("external_id,title,started_at,n_viewers,n_buyers\nL_1,A,2026-01-31,50,5\n")
    with pytest.raises(CommandError, match="--set planned_minutes=60"):
        import_csv("sessions", path)
    assert not LiveSession.objects.exists()
