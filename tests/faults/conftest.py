"""The real server on a tiny model, as in tests/serve: here to be broken."""

from tests.serve.conftest import base, start  # noqa: F401  # fixtures
