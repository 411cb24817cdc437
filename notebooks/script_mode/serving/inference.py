"""Text in, text out, around TensorFlow Serving: SageMaker's container calls `input_handler`, asks TensorFlow Serving
with what it returns, and gives the answer to `output_handler`.

One text is one sentence. In: `{"instances": ["text", ...]}` or a line a sentence as text/plain. Out:
`{"predictions": [{"translation": "text"}, ...]}`, or a line a sentence when text/plain is accepted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import sentencepiece

CODE = Path(__file__).resolve().parent
sys.path.insert(0, str(CODE))

from container.text import clean  # noqa: E402  # the same clean-up as in training

PAD, EOS = 0, 3
MODEL = CODE.parent
MANIFEST = json.loads((MODEL / "manifest.json").read_text())
TOKENIZER = sentencepiece.SentencePieceProcessor(model_file=str(MODEL / "tokenizer.model"))


def input_handler(data: Any, context: Any) -> str:
    """The body of a request to TensorFlow Serving's predict API, from the body of a request to the endpoint."""
    body = data.read(context.content_length).decode("utf-8")
    if context.request_content_type.startswith("text/plain"):
        texts = body.removesuffix("\n").split("\n")
    elif context.request_content_type.startswith("application/json"):
        document = json.loads(body)
        texts = document["instances"] if isinstance(document, dict) else document
    else:
        raise ValueError(f"The content type is {context.request_content_type}: send application/json or text/plain.")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError('The body must be {"instances": ["text", ...]}, or a sentence a line as text/plain.')
    rows = [_ids(text) for text in texts]
    longest = max(map(len, rows))
    decoding = MANIFEST["decoding"]
    return json.dumps(
        {
            "inputs": {
                "source": [[*row, *[PAD] * (longest - len(row))] for row in rows],
                "beam_size": decoding["beam_size"],
                "length_penalty": float(decoding["length_penalty"]),
                "max_length": decoding["max_target_length"],
            }
        }
    )


def _ids(text: str) -> list[int]:
    clean_up = MANIFEST["clean_up"]
    line = clean(text, clean_dots=clean_up["clean_dots"], prefixes=clean_up["non_breaking_prefixes"])
    if not line:
        raise ValueError("One of the texts is empty: leave it out.")
    tags = [TOKENIZER.piece_to_id(tag) for tag in MANIFEST["source_tokens_prefix"]]
    longest = MANIFEST["decoding"]["max_source_length"] - len(tags) - 1
    return [*tags, *TOKENIZER.encode(line)[:longest], EOS]


def output_handler(response: Any, context: Any) -> tuple[str, str]:
    """The answer of the endpoint and its content type, from TensorFlow Serving's."""
    if response.status_code != 200:
        raise ValueError(response.content.decode("utf-8"))
    outputs = response.json()["outputs"]
    best = [ids[0][: lengths[0]] for ids, lengths in zip(outputs["ids"], outputs["lengths"])]  # noqa: B905
    lines = [clean(TOKENIZER.decode(ids)) for ids in best]
    if context.accept_header.startswith("text/plain"):
        return "\n".join(lines) + "\n", "text/plain"
    return json.dumps(
        {"predictions": [{"translation": line} for line in lines]}, ensure_ascii=False
    ), "application/json"
