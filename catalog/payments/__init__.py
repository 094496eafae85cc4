"""Payments: one small interface over the vendors' own SDKs, and what follows from their word."""
