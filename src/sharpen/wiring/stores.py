"""Which store, which workflow, which version: what the command line's names stand for."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from sharpen.config.settings import SQLITE, sqlite_file, store_url
from sharpen.errors import StoreError, UnknownNameError, UserError
from sharpen.storage.failures import hide_password
from sharpen.storage.migrate import Upgrade
from sharpen.storage.store import Store
from sharpen.versions.models import PromptVersion
from sharpen.versions.ports import AliasMove
from sharpen.versions.version_manager import VersionManager

NO_VERSION = "the store holds no version yet; `sharpen optimize PLAN` makes the first ones"


def open_store(url: str | None = None, plan: Path | None = None) -> Store:
    """The store at ``url``, else of ``SHARPEN_STORE``, else beside the plan, else of the working directory.

    Without a plan nothing is created: a file that is not there is an error that says how to name one.
    """
    if plan is not None:
        return Store.open(store_url(plan.parent, url), on_upgrade=tell_upgrade)
    found = store_url(Path(), url)
    if not may_exist(found):
        if found == store_url(Path(), environ={}):
            here = str(Path().absolute())
            raise StoreError(f"no store in {here!r}; expected --store URL, or to be where the plan is")
        raise StoreError(f"there is no store {found!r}; expected one that `sharpen run PLAN --store URL` made")
    return Store.open(found, on_upgrade=tell_upgrade)


def create_store(url: str | None = None) -> Store:
    """The store that ``open_store`` would open, made if it is not there."""
    return Store.open(store_url(Path(), url), on_upgrade=tell_upgrade)


def find_store(url: str | None = None) -> Store | None:
    """The store as ``open_store`` finds it; None when none was named and none is here, which a list shows as empty."""
    here = store_url(Path(), environ={})
    return None if store_url(Path(), url) == here and not may_exist(here) else open_store(url)


def tell_upgrade(done: Upgrade) -> None:
    """Whoever opens a store of an older sharpen hears what became of it, on stderr."""
    kept = f"; as it was before: {done.backup}" if done.backup else ""
    sys.stderr.write(f"note: the store was upgraded from schema {done.before} to {done.after}{kept}\n")


def may_exist(url: str) -> bool:
    """False for a SQLite file that is not there; what else a URL can mean is for the store to find out."""
    path = sqlite_file(url)
    return path is None or path.exists()


def store_option(store: Store) -> str:
    """What a later command must be given to find this store from here; empty when it finds it by itself."""
    found_anyway = hide_password(store_url(Path())) == hide_password(store.url)
    return "" if found_anyway else f" --store {shlex.quote(_from_here(store.url))}"


def _from_here(url: str) -> str:
    """A SQLite URL with a path relative to the working directory where the file lies below it."""
    path = Path(url.removeprefix(SQLITE))
    below = url.startswith(SQLITE) and path.is_relative_to(Path.cwd())
    return f"{SQLITE}{path.relative_to(Path.cwd())}" if below else url


def version_manager(store: Store) -> VersionManager:
    """The versions of a store."""
    return VersionManager(store.versions)


def list_versions(store: Store, workflow: str | None) -> tuple[PromptVersion, ...]:
    """Versions of one workflow, or of all of them, newest first."""
    manager = version_manager(store)
    if workflow is None:
        found = [version for name in manager.workflows() for version in manager.list(name)]
        return tuple(sorted(found, key=lambda version: version.created_at, reverse=True))
    if not manager.workflows():
        raise UserError(NO_VERSION)
    if workflow not in manager.workflows():
        raise UnknownNameError("workflow", workflow, manager.workflows())
    return manager.list(workflow)


def alias_story(store: Store, workflow: str, alias: str | None = None) -> tuple[dict[str, str], tuple[AliasMove, ...]]:
    """Where a workflow's aliases point, and their moves; of one ``alias`` alone, if it is given.

    Raises ``UnknownNameError`` for one that was never set.
    """
    manager = version_manager(store)
    current, moves = manager.aliases(workflow), manager.alias_history(workflow)
    if alias is None:
        return current, moves
    if not any(move.alias == alias for move in moves):
        raise UnknownNameError(f"alias of {workflow!r}", alias, {move.alias for move in moves})
    here = {name: version for name, version in current.items() if name == alias}
    return here, tuple(move for move in moves if move.alias == alias)


def version_names(
    store: Store, names: Sequence[str] | None, defaults: Sequence[str | None], workflow: str | None
) -> tuple[str, tuple[str, ...]]:
    """``[WORKFLOW] NAME…`` → the workflow and one name for each of ``defaults`` (None: must be given).

    A first name that is a workflow's id is the workflow; left out, the store's only one is meant.
    Raises ``UserError`` that lists the workflows where that is not clear.
    """
    given, known = list(names or ()), version_manager(store).workflows()
    if workflow is None and given and given[0] in known and len(given) <= len(defaults) + 1:
        workflow = given.pop(0)
    if workflow is None and len(given) > len(defaults):
        raise UnknownNameError("workflow", given[0], known)
    if workflow is None:
        if not known:
            raise UserError(NO_VERSION)
        if len(known) != 1:
            held = f"{len(known)}: {', '.join(known)}"
            raise UserError(f"which workflow? the store holds {held}; expected --workflow NAME")
        workflow = known[0]
    if len(given) > len(defaults):
        raise UserError(f"too many names: {' '.join(given)!r}; expected {len(defaults)}")
    found: list[str] = [*given]
    for default in defaults[len(given) :]:
        if default is None:
            raise UserError(f"{len(given)} names given ({' '.join(given) or 'none'}); expected {len(defaults)}")
        found.append(default)
    return workflow, tuple(found)
