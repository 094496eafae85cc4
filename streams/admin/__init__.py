"""Live sessions in the admin."""

from streams.admin import chat, games, moderation, orders, sessions

__all__ = ["chat", "games", "moderation", "orders", "sessions"]
