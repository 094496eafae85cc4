"""Live sessions in the admin."""

from streams.admin import chat, games, orders, sessions

__all__ = ["chat", "games", "orders", "sessions"]
