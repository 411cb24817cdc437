"""What training costs and what it gives: speed, quality against time, parts of the recipe, large corpora."""
