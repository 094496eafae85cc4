"""Benchmarks: tables of ratios, each against a plain peer measured beside it in the same run."""

import analytics.methods  # noqa: F401 - sets up numpy, as in the processes of the platform
