"""What was recorded and derived, in the admin: to be read, by subject."""

from analytics.admin import learning, people, runs, sessions

__all__ = ["learning", "people", "runs", "sessions"]
