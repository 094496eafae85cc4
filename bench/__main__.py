"""`make bench`: all benchmarks, or those named: python -m bench pages recommending."""

from __future__ import annotations

import argparse
import sys
import time

from bench import checkouts, fanout, importing, pages, rebuilding, recommendations_api, recommending
from bench.platform import datasets, made_platform, manage

PARTS = (
    *("recommending", "recommendations", "importing", "rebuilding", "pages", "checkouts"),
    "fanout",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all when none is named")
    wanted = parser.parse_args().parts or PARTS
    began = time.monotonic()
    if "recommending" in wanted:
        folder = datasets()
        if folder is None:
            print("bench: recommending left out: no real data (set LIVECOURSE_DATASETS)")
        else:
            recommending.measure(folder)
    if "recommendations" in wanted:
        recommendations_api.measure()
    if "importing" in wanted:
        with made_platform() as env:
            importing.measure(env)
    if {"rebuilding", "pages"} & set(wanted):
        with made_platform() as env:
            manage("sample_market", env=env)
            if "rebuilding" in wanted:
                rebuilding.measure(env)
            if "pages" in wanted:
                pages.measure(env)
    if "checkouts" in wanted:
        checkouts.measure()
    if "fanout" in wanted:
        fanout.measure()
    print(
        f"\nbench: {time.monotonic() - began:.0f} s; times are of this machine, now; the ratios "
        "were measured side by side"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
