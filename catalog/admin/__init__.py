"""The catalogue's pages in the admin, by subject."""

from catalog.admin import consultations, courses, money, offers, orders

__all__ = ["consultations", "courses", "money", "offers", "orders"]
