"""Serving: a model directory becomes an HTTP endpoint (nginx -> gunicorn -> Flask -> engine)."""
