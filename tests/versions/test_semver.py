import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharpen.versions.semver import FIRST, SemVer

numbers = st.integers(min_value=0, max_value=10**9)
versions = st.builds(SemVer, numbers, numbers, numbers, st.none() | st.integers(min_value=1, max_value=99))


@settings(max_examples=100)
@given(versions)
def test_text_and_back(version: SemVer) -> None:
    assert SemVer.parse(str(version)) == version


@settings(max_examples=100)
@given(versions, st.sampled_from(["major", "minor", "patch"]))
def test_a_bump_is_a_later_release(version: SemVer, part: str) -> None:
    bumped = version.bump(part)  # type: ignore[arg-type] # drawn from the three
    assert bumped > version
    assert bumped.draft is None
    assert bumped > bumped.as_draft(1) > version


def test_bumps_reset_what_is_right_of_them() -> None:
    version = SemVer(1, 2, 3)
    assert [str(version.bump(part)) for part in ("major", "minor", "patch")] == ["2.0.0", "1.3.0", "1.2.4"]
    assert str(FIRST) == "1.0.0"


def test_order_is_by_number_not_by_text_and_drafts_come_before_their_release() -> None:
    ordered = ["1.0.0", "1.2.0-draft.2", "1.2.0-draft.10", "1.2.0", "1.10.0"]
    assert [str(v) for v in sorted(map(SemVer.parse, reversed(ordered)))] == ordered
    assert not SemVer(1, 0, 0) < SemVer(1, 0, 0)
    with pytest.raises(TypeError):
        assert SemVer(1, 0, 0) < "1.0.0"


@pytest.mark.parametrize(
    "text", ["", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0-draft.0", "1.0.0-beta", "1.0.0 ", "1.0.0\n"]
)
def test_other_texts_are_rejected_with_both_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no version; expected MAJOR\.MINOR\.PATCH or"):
        SemVer.parse(text)


def test_an_unknown_part_is_rejected() -> None:
    with pytest.raises(ValueError, match="cannot bump 'huge'; expected 'major', 'minor' or 'patch'"):
        SemVer(1, 0, 0).bump("huge")  # type: ignore[arg-type] # the mistake under test
