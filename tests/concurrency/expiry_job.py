"""The job that ends unpaid orders, as a process of its own.

Run as a program: says "ready", waits for a line that tells for how many seconds to run again and
again, and prints how many orders it has ended.
"""

from __future__ import annotations

import os
import time

import django


def main() -> None:
    from django.utils import timezone

    from catalog.payments.overdue import expire_due_orders

    print("ready", flush=True)
    seconds = float(input())
    end = time.monotonic() + seconds
    n_expired = 0
    while time.monotonic() < end:
        n_expired += expire_due_orders(moment=timezone.now())
    # A round that began before the end may have taken long, and seen less than was due by then.
    n_expired += expire_due_orders(moment=timezone.now())
    print(n_expired, flush=True)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "livecourse.settings"
    django.setup()
    main()
