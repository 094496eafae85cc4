"""Live sessions in the admin."""

from streams.admin import chat, games, moderation, orders, sessions, video

__all__ = ["chat", "games", "moderation", "orders", "sessions", "video"]
