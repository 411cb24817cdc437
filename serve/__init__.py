"""Model directory in, HTTP out: nginx -> gunicorn -> Flask around the Predictor."""
