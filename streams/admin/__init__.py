"""Live sessions in the admin."""

from streams.admin import chat, orders, sessions

__all__ = ["chat", "orders", "sessions"]
