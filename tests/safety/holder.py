"""A process that takes things in a store, says so, and waits to be killed or told to end.

``holder.py URL lock NAME`` or ``holder.py URL claim KEY``; prints ``held``; a line on stdin ends it in good order.
"""

from __future__ import annotations

import asyncio
import sys

from sharpen.storage.store import Store

url, what, name = sys.argv[1:]
with Store.open(url) as store:
    if what == "lock":
        with store.locks.hold(name):
            print("held", flush=True)
            sys.stdin.readline()
    else:
        assert asyncio.run(store.responses.claim(name, lambda: True)) is True
        print("held", flush=True)
        sys.stdin.readline()
