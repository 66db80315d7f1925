import re
from datetime import UTC, datetime, timedelta, timezone

from sharpen.executor.run_ids import new_run_id


def test_run_ids_sort_by_time_whatever_the_zone() -> None:
    moment = datetime(2026, 11, 23, 23, 15, 2, tzinfo=timezone(timedelta(hours=13)))
    assert re.fullmatch(r"run-20261123-101502-[0-9a-f]{6}", new_run_id(moment))
    assert new_run_id(moment) < new_run_id(datetime(2026, 11, 23, 10, 15, 3, tzinfo=UTC))
    assert len({new_run_id(moment) for _ in range(100)}) > 95
