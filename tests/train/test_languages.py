"""Any language pair: nothing in training knows English from Spanish."""

from __future__ import annotations

import json
from itertools import islice

from container.artifact import open_artifact
from container.text import default_prefixes
from data.sample import read_part
from tests.conftest import TOY, Job


def test_the_sample_reversed_translates_from_spanish_to_english(job: Job) -> None:
    """Records that name their languages are read in the direction that the hyperparameters ask for."""
    pairs = list(islice(read_part("train"), 200))
    records = [json.dumps({"en": english, "es": spanish}) for english, spanish in pairs]
    job.channel("training", pairs__jsonl="\n".join(records))
    job.configure({**TOY, "source_lang": "es", "target_lang": "en", "vocab_size": "500"})
    done = job.run()
    assert done.returncode == 0, done.stderr
    manifest = open_artifact(job.paths.model).manifest
    assert (manifest.source_lang, manifest.target_lang) == ("es", "en")
    assert manifest.clean_up.non_breaking_prefixes == default_prefixes("es")
    report = (job.paths.output_data / "report.html").read_text(encoding="utf-8")
    assert "es → en" in report
    assert any(spanish in report for _, spanish in pairs)
