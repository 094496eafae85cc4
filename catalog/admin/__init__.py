"""The catalogue's pages in the admin, by subject."""

from catalog.admin import courses, offers, orders

__all__ = ["courses", "offers", "orders"]
