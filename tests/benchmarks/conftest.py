"""A folder like /opt/ml with a tiny model, as in tests/serve: here to be measured."""

from tests.serve.conftest import base  # noqa: F401
