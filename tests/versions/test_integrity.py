"""What is noticed when a record was altered, and where a version says it comes from."""

import pytest

from sharpen.config.models import Case, DatasetConfig, RunManifest
from sharpen.errors import StoreError, VersionConflictError
from sharpen.testing.version_suite import make_prompt, make_version
from sharpen.versions.in_memory import InMemoryVersionRepository
from sharpen.versions.integrity import record_hash, sealed, verified
from sharpen.versions.models import PromptVersion
from sharpen.versions.provenance import Provenance, provenance_of
from sharpen.versions.version_manager import VersionManager


@pytest.mark.parametrize(
    "change",
    [
        {"message": "better"},
        {"improvement": 99.0},
        {"parent": "0.0.1"},
        {"run_ids": ("run-3",)},
        {"metrics": None},
        {"kind": "manual"},
        {"provenance": Provenance(plan_hash="a", dataset_hash="b", target="scripted")},
    ],
)
def test_an_altered_record_is_named(change):
    version = sealed(make_version())
    assert verified(version) is version
    with pytest.raises(StoreError, match=r"version 1\.0\.0 of 'triage' was altered .* its record"):
        verified(version.model_copy(update=change))


def test_the_hash_is_the_same_tomorrow():
    """A field with its default is not part of it: a later release may add some. Pinned, for it outlives releases."""
    version = PromptVersion(
        workflow_id="w",
        version="1.0.0",
        prompt=make_prompt(),
        content_hash=make_prompt().content_hash,
        created_at="2026-01-02T03:04:05Z",
        message="é",
    )
    assert record_hash(version) == "e64d78c2b664da05b85adb260e34d1c92bf54f954fd8c1bf3369b06e1a9e6400"
    assert record_hash(PromptVersion.model_validate_json(version.model_dump_json())) == record_hash(version)


def test_a_manager_seals_what_it_makes_and_restores_it_exactly_once():
    manager, elsewhere = VersionManager(), VersionManager()
    version = manager.create("w", make_prompt())
    assert version.record_hash == record_hash(version)
    assert elsewhere.restore(version) is True
    assert elsewhere.restore(version) is False
    assert elsewhere.get("w") == version
    other = VersionManager().create("w", make_prompt("another"))
    with pytest.raises(VersionConflictError, match="exists already, and is another one"):
        elsewhere.restore(other)
    with pytest.raises(StoreError, match="was altered"):
        VersionManager(InMemoryVersionRepository()).restore(version.model_copy(update={"message": "x"}))


def plan(tmp_path, **changes):
    data = {
        "workflow_id": "w",
        "prompt": {"user": "{{ a }}"},
        "target": {"kind": "openai", "model": "m", "params": {"temperature": 0, "api_key": "sk-abcdefgh12345678"}},
        "dataset": {"cases": [{"id": "c", "vars": {"a": 1}}]},
        **changes,
    }
    return RunManifest.model_validate(data).with_source(tmp_path / "plan.yaml")


def test_provenance_names_the_model_and_hides_keys(tmp_path):
    found = provenance_of(plan(tmp_path))
    assert (found.target, found.model) == ("openai", "m")
    assert found.parameters == {"temperature": 0, "api_key": "<hidden>"}


def test_the_plan_hash_follows_the_plan_and_not_its_place(tmp_path):
    first = provenance_of(plan(tmp_path))
    assert provenance_of(plan(tmp_path / "elsewhere")) == first
    changed = provenance_of(plan(tmp_path, rules={"min_success_rate": 0.5}))
    assert changed.plan_hash != first.plan_hash
    assert changed.dataset_hash == first.dataset_hash
    cases = DatasetConfig(cases=(Case(id="c", vars={"a": 2}),))
    assert provenance_of(plan(tmp_path, dataset=cases)).dataset_hash != first.dataset_hash


def test_paths_count_as_seen_from_the_plan(tmp_path):
    found = []
    for name in ("one", "two"):
        home = tmp_path / name
        home.mkdir()
        (home / "model.gguf").write_bytes(b"")
        found.append(provenance_of(plan(home, target={"kind": "local", "model": str(home / "model.gguf")})))
    assert found[0] == found[1]
    assert found[0].model == "model.gguf"
