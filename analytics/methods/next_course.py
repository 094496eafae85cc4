"""Which product to show next: the expected conversion of each for the people in the room.

A product sells in two steps: of those who saw its card some choose it (click), of those some
order. Each step is a share with a Beta distribution. Its prior is fitted from the seller's past
sessions, moved towards the product's own past and towards how the session as a whole does, and
updated by what the product did in this session. The product of both shares is the expected
conversion of an average audience; how well the product fits those who are in the room now, and
who of them has it already, moves it up or down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

# Draws from the two distributions; their quantiles are right to about a hundredth of the width.
N_DRAWS = 4_000
SEED = 20_260_105
# The odds of somebody for whom a product is just right, against those of somebody to whom it
# says nothing, are e times as high: about what a right taste made of orders in past rooms.
AFFINITY_WEIGHT = 1.0
# With less past than this, a seller's rates are taken for those of a weak, general prior.
FEWEST_CELLS = 3
FALLBACK = ((0.1, 20.0), (0.1, 10.0))
# A prior never weighs less than a couple of observations, nor so much that a session cannot
# speak against it.
STRENGTHS = (2.0, 500.0)
RATES = (1e-4, 0.95)
# How many expected successes of the rest of the session move the level half of the way.
LEVEL_PSEUDO = 10.0
# A cause below this moves the expected conversion too little to be called the reason.
TELLING = np.log(1.1)

DEFAULT_LEVEL = 0.8


@dataclass(frozen=True, slots=True)
class BetaPrior:
    """A Beta distribution by its mean (above 0, below 1) and strength (a + b)."""

    mean: float
    strength: float


def fit_prior(
    successes: np.ndarray, trials: np.ndarray, *, fallback: tuple[float, float]
) -> BetaPrior:
    """The Beta prior behind shares that were seen as counts, by the method of moments.

    `successes` and `trials` (n,) are the counts of n cells (one product in one past session);
    cells without a trial say nothing. With fewer than FEWEST_CELLS of them it is `fallback`,
    (mean, strength), moved towards the counts that there are.
    Source: J. C. Kleinman, "Proportions with extraneous variance: single and independent
    samples", Journal of the American Statistical Association 68 (1973), 46-54.
    """
    k, n = np.asarray(successes, dtype="float64"), np.asarray(trials, dtype="float64")
    k, n = k[n > 0], n[n > 0]
    if len(n) < FEWEST_CELLS:
        mean, strength = fallback
        return BetaPrior(
            _bounded((mean * strength + k.sum()) / (strength + n.sum()), RATES), strength
        )
    mean = k.sum() / n.sum()
    # What the shares vary, beyond what counts of one share would vary by chance.
    spread = (n * (k / n - mean) ** 2).sum()
    by_chance = (len(n) - 1) * mean * (1 - mean)
    room = mean * (1 - mean) * (n.sum() - (n**2).sum() / n.sum() - (len(n) - 1))
    rho = (spread - by_chance) / room if room > 0 else 0.0
    strength = 1 / rho - 1 if rho > 0 else STRENGTHS[1]
    return BetaPrior(_bounded(mean, RATES), _bounded(strength, STRENGTHS))


def _bounded(value: float, bounds: tuple[float, float]) -> float:
    return float(np.clip(value, *bounds))


@dataclass(frozen=True, slots=True)
class StepPosterior:
    """One step for m products: the parameters of their Beta distributions, (m,) each, and the
    means that the prior, the product's past, and the session before its own counts had."""

    a: np.ndarray
    b: np.ndarray
    from_past: np.ndarray
    from_session: np.ndarray
    prior: BetaPrior

    @property
    def mean(self) -> np.ndarray:
        return self.a / (self.a + self.b)


def step_posterior(
    prior: BetaPrior,
    *,
    past_successes: np.ndarray,
    past_trials: np.ndarray,
    successes: np.ndarray,
    trials: np.ndarray,
) -> StepPosterior:
    """The share of each of m products in this session; all arrays are (m,) counts.

    The product's past moves the prior's mean, then how the *other* products of the session do
    against their own expectation moves it by one factor (so that no count is used twice), then
    the product's own counts update it. The strength stays that of the prior, which was fitted to
    how much one product in one session varies.
    """
    past_k, past_n, k, n = (
        np.asarray(one, dtype="float64") for one in (past_successes, past_trials, successes, trials)
    )
    mean, strength = prior.mean, prior.strength
    from_past = (mean * strength + past_k) / (strength + past_n)
    expected = n * from_past
    others_k, others_expected = k.sum() - k, expected.sum() - expected
    level = (others_k + LEVEL_PSEUDO) / (others_expected + LEVEL_PSEUDO)
    from_session = np.clip(from_past * level, *RATES)
    return StepPosterior(
        a=strength * from_session + k,
        b=strength * (1 - from_session) + n - k,
        from_past=from_past,
        from_session=from_session,
        prior=prior,
    )


@dataclass(frozen=True, slots=True)
class Ranking:
    """m products as they were given, (m,) each; `order` lists them, the best first.

    expected: the share of the room's viewers expected to buy if the product is shown; low and
    high: the interval that holds it with probability `level`; reason: "audience", "session",
    "past" (what speaks most for it), "untried" (not yet shown in this session) or "usual".
    """

    order: np.ndarray
    expected: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reason: list[str]
    level: float


def rank_products(
    steps: tuple[StepPosterior, StepPosterior],
    *,
    affinity: np.ndarray,
    owned: np.ndarray,
    n_others: int,
    n_shown: np.ndarray,
    level: float = DEFAULT_LEVEL,
) -> Ranking:
    """Rank m products for an audience.

    `steps`: choosing, then ordering. `affinity` (v, m) from 0 to 1: how well each product fits
    each of v viewers of whom something is known; `owned` (v, m) bool: who has it already and
    cannot buy it again; `n_others` viewers of whom nothing is known count as average. `n_shown`
    (m,): how often each product's card was seen in this session.
    """
    chance = np.random.default_rng(SEED)
    m = len(steps[0].a)
    draws = np.ones((N_DRAWS, m))
    for step in steps:
        draws *= chance.beta(step.a, step.b, size=(N_DRAWS, m))
    average = steps[0].mean * steps[1].mean
    fitted = audience_share(draws, affinity=affinity, owned=owned, n_others=n_others)
    expected = fitted.mean(axis=0)
    low, high = np.quantile(fitted, [(1 - level) / 2, (1 + level) / 2], axis=0)
    # From what the seller's products do on average to what this one is expected to do here.
    with np.errstate(divide="ignore"):
        causes = {
            "past": np.log(
                _product(steps, "from_past") / (steps[0].prior.mean * steps[1].prior.mean)
            ),
            "session": np.log(average / _product(steps, "from_session")),
            "audience": np.log(expected / average),
        }
    reason = []
    for at in range(m):
        best = max(causes, key=lambda name: causes[name][at])
        if causes[best][at] >= TELLING:
            reason.append(best)
        else:
            reason.append("usual" if n_shown[at] else "untried")
    return Ranking(
        order=np.argsort(-expected, kind="stable"),
        expected=expected,
        low=low,
        high=high,
        reason=reason,
        level=level,
    )


def _product(steps: tuple[StepPosterior, StepPosterior], name: str) -> np.ndarray:
    return getattr(steps[0], name) * getattr(steps[1], name)


def audience_share(
    shares: np.ndarray, *, affinity: np.ndarray, owned: np.ndarray, n_others: int
) -> np.ndarray:
    """Shares of an average audience as shares of this one: (draws, m) in, (draws, m) out.

    The odds of each viewer are moved by how much better the product fits them than products
    fit the audience on average; owners cannot buy. Both arrays are (v, m) as in
    `rank_products`; with no viewer of whom anything is known the shares stay as they are.
    """
    v = len(affinity)
    if v == 0:
        return shares
    shift = AFFINITY_WEIGHT * (affinity - affinity.mean())
    base = logit(np.clip(shares, 1e-9, 1 - 1e-9))
    total = n_others * shares
    out = np.empty_like(shares)
    # Few distinct shifts per product: fits come in tenths, so that a full room costs no more.
    for at in range(shares.shape[1]):
        can_buy = ~owned[:, at]
        steps, counts = np.unique(np.round(shift[can_buy, at], 2), return_counts=True)
        moved = expit(base[:, at, None] + steps[None, :]) @ counts.astype("float64")
        out[:, at] = (total[:, at] + moved) / (n_others + v)
    return out
