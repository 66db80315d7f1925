"""The contract suites on a PostgreSQL of our own."""

import pytest

from sharpen.testing.storage_suite import StoreContract, StoredVersionsContract


class TestPostgresqlStore(StoreContract):
    @pytest.fixture
    def store_url(self, postgres_url: str) -> str:
        return postgres_url


class TestPostgresqlVersions(StoredVersionsContract):
    @pytest.fixture
    def store_url(self, postgres_url: str) -> str:
        return postgres_url
