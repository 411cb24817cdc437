"""A folder like /opt/ml with a tiny model to measure, the same as in tests/serve."""

from tests.serve.conftest import base  # noqa: F401
