"""How long nothing is started after a refusal (pure).

As long as the server asks. A server that says nothing has to be asked: one single call goes first, and the others
follow when it was not refused. When it is refused too, the limit is on a longer window than was thought: the next
time to ask is when a window of the next usual length would let calls through again. That length is remembered, so that
later pauses are long enough at once.
"""

from __future__ import annotations

WINDOWS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""The lengths tried in turn. A second, ten, and a minute are what limits are usually enforced over; those between
keep the time lost below half of a window when it had begun before the first call."""

LONG_S = 60.0
"""Calls accepted for longer than that fit into no window that is usual: it is counted from the refusal."""

SPARE = 0.02
"""A window is taken for so much longer: the server's clock began with the arrival of a call, not with its start."""

SAME_LENGTH = 1.05
"""A window that is so much shorter than it seems is still the one: what was measured includes the way of a call."""

ROUNDED_S = 1.0
"""A server that tells a time in whole seconds may tell so much too much."""

MIN_PROBE_S, PROBE_REFUSALS = 0.05, 3.0
"""A probe that was not refused for so long, and for so many times as long as the last refusal took, was accepted."""


SURE = 2
"""So many refused probes in a row, and it is a longer window: a single one may be chance where a shorter one was
believed until now."""

BELIEVED = 3
"""Whoever was refused so many times in a row at the time that the server told asks it as if it told none: some always
tell the same, or 0, however long their window lasts."""

ENOUGH = 8
"""Fewer calls than that fill no window: refusals at random look like it."""


class Pause:
    """Every ``now`` is a reading of one clock in seconds."""

    def __init__(self) -> None:
        self.until = 0.0
        self.on = False
        self.window_s = WINDOWS_S[0]
        """The length of the window that the limit seems to be on; the shortest one also stands for a bucket."""
        self.repeats = 0
        """Probes of the present pause that were refused."""
        self.proving = False
        """A single call goes first, or is under way."""
        self._asked = False
        self._known = False  # when the first call came to the server is known of later pauses only
        self._since = 0.0
        self._probe_ends: float | None = None

    def begin(self, now: float, asked: float | None, enough: float, since: float) -> None:
        """The first refusal after calls were accepted ``since`` then. ``enough``: seconds that should do."""
        used = now - since
        if self._known and used < self.window_s:  # whatever was accepted since has left the window by its end
            enough = min(enough, self.window_s * (1 + SPARE) - used)
        self._since = since if used < LONG_S else now
        self.repeats = 0
        self._set(now, asked, enough)

    def again(self, now: float, asked: float | None, served: bool = True) -> None:
        """The probe was refused, or the first call after a pause that was asked for.

        ``served``: some call was ever answered. Else there may be no window at all, and nothing is gained by patience.
        """
        self.repeats += 1
        last = self.until - self._since if self.repeats == 1 else 0.0
        waited = max(now - self._since, last)
        most = WINDOWS_S[-1] if served else LONG_S
        longer = min(next((w for w in WINDOWS_S if w > SAME_LENGTH * waited), most + waited), most + waited)
        believed = self.repeats <= BELIEVED or not served
        self._set(now, asked if believed else None, self._since + longer * (1 + SPARE) - now)

    def repeat(self, now: float, asked: float | None, seconds: float) -> None:
        """Ask again after so many ``seconds``: it is not a window that has to end."""
        self.repeats = 0
        self._set(now, asked, seconds)

    def _set(self, now: float, asked: float | None, enough: float) -> None:
        if asked is not None and asked > 2 * self.window_s:  # whoever asks for so long has a window at least as long
            span = min(now + asked - self._since, 2 * asked) - ROUNDED_S
            self.window_s = next((w for w in WINDOWS_S if SAME_LENGTH * w >= span), WINDOWS_S[-1])
        self.on, self._asked, self.proving, self._probe_ends = True, asked is not None, asked is None, None
        self.until = now + (enough if asked is None else asked)

    def prolong(self, until: float) -> None:
        """Another of the refused was told a time."""
        self.until = max(self.until, until)
        self._asked, self.proving = True, False

    def left(self, now: float) -> float:
        """Seconds until a call may start, the probe included; 0: now."""
        if self.on and now < self.until:
            return self.until - now
        self.on = False
        if self.proving and self._probe_ends is not None and now < self._probe_ends:
            return self._probe_ends - now
        return 0.0

    def probe(self, now: float, refusal_s: float) -> None:
        """The probe has started; refusals take so long."""
        self._probe_ends = now + max(MIN_PROBE_S, PROBE_REFUSALS * refusal_s)

    @property
    def probed(self) -> bool:
        """The probe is under way."""
        return self._probe_ends is not None

    def drop(self) -> None:
        """The probe was cancelled and proves nothing: there may be another."""
        self._probe_ends = None

    def end(self, count: int, searching: bool) -> bool:
        """Calls are accepted again. Whether a longer window was learned from it.

        ``count`` calls were accepted before the pause; ``searching``: a limit was known already.
        """
        self.on = self.proving = False
        self._known, self._probe_ends = True, None
        longer = next((w for w in WINDOWS_S if SAME_LENGTH * w >= self.until - self._since), WINDOWS_S[-1])
        sure = self.repeats >= (SURE if searching and self.window_s == WINDOWS_S[0] else 1) and count >= ENOUGH
        if self._asked or not sure or longer <= self.window_s:
            return False
        self.window_s = longer
        return True
