"""Benchmarks: tables of ratios, each against a plain peer measured beside it in the same run."""
