"""A market made up from a seed: courses, people and what they did, with a known truth.

`market.build_market` makes the rows without touching a database, `writing.write_market`
stores them, `truth` says what holds in them. docs/sample-market.md tells the same in prose.
"""
