"""What happens in live sessions: who comes, watches, clicks, chats and buys."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from scipy.special import expit

from analytics.models import EventKind, SessionFigures
from analytics.sample_market import truth
from analytics.sample_market.courses import SampleCourse
from analytics.sample_market.plan import Plan
from analytics.sample_market.sessions import SampleSession
from analytics.sample_market.taste import Taste
from analytics.sample_market.texts import fill, phrases, pick
from analytics.sample_market.trade import Trade
from streams.models import ChatMessage, Reminder

# Of all viewers, how many an average session has, and the most that one can have.
SHARE_PRESENT = 0.036
MOST_PRESENT = 0.12
SHARE_ANONYMOUS = 0.18
SHARE_CHATTING = 0.055
SHARE_LIKING = 0.08
SHARE_CLICKING = 0.28
MINUTES_WATCHED = 11.0
# How much more often than others somebody with the right taste is the one who buys.
RIGHT_TASTE = 5.0
SHARE_TWO_COURSES = 0.1
SHARE_USING_COUPON = 0.75


@dataclass
class Stage:
    """What the sessions share while they are played one after the other."""

    plan: Plan
    trade: Trade
    taste: Taste
    chance: np.random.Generator
    session_rates: dict[str, float]


def play_session(stage: Stage, session: SampleSession) -> None:
    """One session that is over or on air: its audience, their events, its orders."""
    chance, trade = stage.chance, stage.trade
    signed_in, n_anonymous, fit = _audience(stage, session)
    n = len(signed_in) + n_anonymous
    visitors = [uuid.UUID(bytes=chance.bytes(16), version=4) for _ in range(n_anonymous)]
    buyers = set(_buyers(stage, session, signed_in, n, fit))
    who: list[dict] = [{"viewer": int(k)} for k in signed_in] + [{"visitor": v} for v in visitors]
    last_second = int((min(session.ends_at, stage.plan.now) - session.starts_at).total_seconds())
    joins = np.minimum(chance.exponential(0.22 * last_second, size=n), 0.9 * last_second).astype(
        int
    )
    minutes = MINUTES_WATCHED * np.exp(chance.normal(0, 0.8, size=n))
    stays = np.clip(minutes * 60, 20, None).astype(int)
    is_buyer = np.array([k < len(signed_in) and int(signed_in[k]) in buyers for k in range(n)])
    stays = np.where(is_buyer, np.maximum(stays, 420), stays)
    joins = np.where(is_buyer, np.minimum(joins, max(0, last_second - 480)), joins)
    leaves = np.minimum(joins + stays, last_second)
    draws = chance.random((n, 4))
    pull = np.array([course.pull for course in session.courses])
    shown = chance.choice(len(session.courses), size=n, p=pull / pull.sum())
    key = session.row.pk
    for k in range(n):
        at = session.starts_at + timedelta(seconds=int(joins[k]))
        left = session.starts_at + timedelta(seconds=int(leaves[k]))
        middle = at + (left - at) / 2
        course = session.courses[shown[k]].row.pk
        trade.see(EventKind.VIEW, at, **who[k], session=key)
        trade.see(EventKind.IMPRESSION, at, **who[k], course=course, session=key)
        if is_buyer[k]:
            _buy_live(stage, session, int(signed_in[k]), at + (left - at) * 0.8)
        elif draws[k, 0] < SHARE_CLICKING:
            trade.see(EventKind.CLICK, middle, **who[k], course=course, session=key)
        if draws[k, 1] < SHARE_LIKING:
            trade.see(EventKind.LIKE, middle, **who[k], session=key, value=float(1 + k % 9))
        if draws[k, 2] < SHARE_CHATTING and k < len(signed_in):
            _chat(stage, session, int(signed_in[k]), middle)
        if draws[k, 3] < 0.01:
            trade.see(EventKind.SHARE, middle, **who[k], session=key)
        # Who is still there when the present begins has not left.
        if session.is_over or leaves[k] < last_second:
            seconds = float(leaves[k] - joins[k])
            trade.see(EventKind.WATCH, left, **who[k], session=key, value=seconds)
    _host_chat(stage, session, last_second)
    _remind(stage, session, signed_in)
    # The live room alone knows the peak; the pipeline counts the rest from the rows.
    trade.rows[SessionFigures].append(
        SessionFigures(
            live_session=session.row,
            peak_viewers=_peak(joins, leaves) if session.is_over else None,
            updated_at=stage.plan.now,
        )
    )


def announce_session(stage: Stage, session: SampleSession) -> None:
    """A session that is still ahead: some want to be reminded."""
    likely = _likely_viewers(stage, session)
    n = min(len(likely), int(stage.chance.integers(2, 3 + stage.plan.n_users // 80)))
    _remind(stage, session, stage.chance.choice(likely, size=n, replace=False), share=1.0)


def _audience(stage: Stage, session: SampleSession) -> tuple[np.ndarray, int, float]:
    """Signed-in viewers (indices), how many anonymous ones, and the fit of the former."""
    chance, viewers = stage.chance, stage.trade.viewers
    size = (
        SHARE_PRESENT
        * stage.plan.n_users
        * np.exp(
            session.seller.following + 0.5 * truth.hour_effect(session.hour) + chance.normal(0, 0.3)
        )
    )
    n = int(np.clip(round(size), 3, MOST_PRESENT * stage.plan.n_users))
    n_anonymous = int(chance.binomial(n, SHARE_ANONYMOUS))
    n_signed_in = n - n_anonymous
    has_joined = viewers.joined_days_ago > session.days_ago
    is_match = viewers.cluster == session.seller.cluster
    wanted_fit = chance.uniform(0.2, 0.85)
    matching = _draw_viewers(stage, np.flatnonzero(has_joined & is_match), n_signed_in * wanted_fit)
    others = _draw_viewers(
        stage, np.flatnonzero(has_joined & ~is_match), n_signed_in - len(matching)
    )
    signed_in = np.concatenate([matching, others]).astype(int)
    fit = len(matching) / len(signed_in) if len(signed_in) else 0.5
    return signed_in, n_anonymous, fit


def _draw_viewers(stage: Stage, pool: np.ndarray, wanted: float) -> np.ndarray:
    n = min(len(pool), round(wanted))
    if n <= 0:
        return pool[:0]
    weights = stage.trade.viewers.liveliness[pool]
    return stage.chance.choice(pool, size=n, replace=False, p=weights / weights.sum())


def _likely_viewers(stage: Stage, session: SampleSession) -> np.ndarray:
    viewers = stage.trade.viewers
    own = np.flatnonzero(viewers.cluster == session.seller.cluster)
    return own if len(own) else np.arange(len(viewers.users))


def _buyers(
    stage: Stage, session: SampleSession, signed_in: np.ndarray, n_viewers: int, fit: float
) -> list[int]:
    """Who buys: beta-binomial about the true rate, anonymous viewers counted among the tries."""
    chance = stage.chance
    rate = float(
        expit(
            truth.log_odds(
                hour=session.hour,
                mean_price=session.mean_price,
                has_coupon=session.coupon is not None,
                discount=session.discount,
                audience_fit=fit,
                seller_effect=session.seller.effect,
            )
        )
    )
    if session.is_over:
        stage.session_rates[str(session.row.external_id)] = round(rate, 6)
    strength = (1 - truth.DISPERSION) / truth.DISPERSION
    n = int(chance.binomial(n_viewers, chance.beta(rate * strength, (1 - rate) * strength)))
    able = [int(k) for k in signed_in if _still_wanted(stage, session, int(k))]
    if not able:
        return []
    is_match = stage.trade.viewers.cluster[able] == session.seller.cluster
    weights = np.where(is_match, RIGHT_TASTE, 1.0)
    chosen = chance.choice(able, size=min(n, len(able)), replace=False, p=weights / weights.sum())
    return [int(k) for k in chosen]


def _still_wanted(stage: Stage, session: SampleSession, viewer: int) -> list[SampleCourse]:
    owned = stage.trade.owned.get(viewer, ())
    return [course for course in session.courses if course.row.pk not in owned]


def _buy_live(stage: Stage, session: SampleSession, viewer: int, when: datetime) -> None:
    chance, trade = stage.chance, stage.trade
    able = _still_wanted(stage, session, viewer)
    weights = np.array(
        [course.pull * (2.0 if course.row.pk in session.promotions else 1.0) for course in able]
    )
    size = 2 if len(able) > 1 and chance.random() < SHARE_TWO_COURSES else 1
    places = chance.choice(len(able), size=size, replace=False, p=weights / weights.sum())
    chosen = [able[k] for k in places]
    for course in chosen:
        trade.see(
            EventKind.IMPRESSION,
            when - timedelta(seconds=90),
            viewer=viewer,
            course=course.row.pk,
            session=session.row.pk,
        )
        trade.see(
            EventKind.CLICK,
            when - timedelta(seconds=75),
            viewer=viewer,
            course=course.row.pk,
            session=session.row.pk,
        )
    coupon = session.coupon if chance.random() < SHARE_USING_COUPON else None
    trade.buy(viewer, chosen, when, days_ago=session.days_ago, session=session, coupon=coupon)


def _chat(stage: Stage, session: SampleSession, viewer: int, when: datetime) -> None:
    chance = stage.chance
    user = stage.trade.viewers.users[viewer]
    # People write in the language of the host.
    language = session.seller.language
    kind = "question" if chance.random() < 0.45 else "comment"
    topic = session.courses[int(chance.integers(len(session.courses)))].topic
    text = fill(pick(chance, phrases(f"chat.{kind}.{language}")), topic, language, chance)
    stage.trade.rows[ChatMessage].append(
        ChatMessage(live_session=session.row, author=user, text=text, sent_at=when)
    )
    stage.trade.see(EventKind.CHAT, when, viewer=viewer, session=session.row.pk)


def _host_chat(stage: Stage, session: SampleSession, last_second: int) -> None:
    language, chance = session.seller.language, stage.chance
    lines = phrases(f"chat.host.{language}")
    for k, share in ((0, 0.04), (int(chance.integers(1, len(lines))), 0.5)):
        if k == 1 and session.coupon is None:
            continue
        stage.trade.rows[ChatMessage].append(
            ChatMessage(
                live_session=session.row,
                author=session.seller.user,
                text=fill(lines[k], session.courses[0].topic, language, chance),
                sent_at=session.starts_at + timedelta(seconds=int(share * last_second)),
            )
        )


def _remind(stage: Stage, session: SampleSession, viewers: np.ndarray, share: float = 0.12) -> None:
    announced = session.row.created_at
    until = min(session.starts_at, stage.plan.now)
    for k in viewers:
        user = stage.trade.viewers.users[int(k)]
        if stage.chance.random() > share:
            continue
        asked = max(announced, user.joined_at) + timedelta(hours=float(stage.chance.uniform(1, 40)))
        stage.trade.rows[Reminder].append(
            Reminder(
                live_session=session.row,
                user=user,
                created_at=min(asked, until - timedelta(minutes=20)),
                sent_at=None
                if session.starts_at > stage.plan.now
                else session.starts_at - timedelta(minutes=10),
            )
        )


def _peak(joins: np.ndarray, leaves: np.ndarray) -> int:
    """The largest number present at once, from seconds of joining and leaving."""
    moments = np.concatenate([joins, leaves])
    steps = np.concatenate([np.ones(len(joins)), -np.ones(len(leaves))])
    order = np.lexsort((steps, moments))
    return int(np.cumsum(steps[order]).max(initial=0))
