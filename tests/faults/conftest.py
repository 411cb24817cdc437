"""The real server on a tiny model, as in tests/serve: here to be broken."""

from tests.engine import containers, image  # noqa: F401  # fixtures
from tests.serve.conftest import base, gate, start  # noqa: F401
