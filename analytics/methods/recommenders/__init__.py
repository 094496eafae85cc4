"""Recommenders with one contract: see `base`. Which one serves is decided by score."""

from __future__ import annotations

from analytics.methods.recommenders.base import (
    BaseRecommender,
    ItemFeatures,
    Ranking,
)
from analytics.methods.recommenders.blocks import Ask, Block
from analytics.methods.recommenders.content import ContentKNNRecommender
from analytics.methods.recommenders.demographic import DemographicKNNRecommender
from analytics.methods.recommenders.ease import EASERecommender
from analytics.methods.recommenders.hybrid import HybridRecommender
from analytics.methods.recommenders.item_knn import ItemKNNRecommender
from analytics.methods.recommenders.people import UserFeatures
from analytics.methods.recommenders.popularity import PopularityRecommender

__all__ = [
    "Ask",
    "BaseRecommender",
    "Block",
    "ContentKNNRecommender",
    "DemographicKNNRecommender",
    "EASERecommender",
    "HybridRecommender",
    "ItemFeatures",
    "ItemKNNRecommender",
    "PopularityRecommender",
    "Ranking",
    "UserFeatures",
]
