"""Requests as an endpoint receives them: all formats, many sizes, streams, documents, and some that it must refuse."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

JSON, LINES = "application/json", "application/jsonlines"
Check = Callable[[bytes], bool]


@dataclass(frozen=True)
class Call:
    """One request, the status that its answer must have, and a check that the body of the answer is whole."""

    kind: str
    body: bytes
    media: str = JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    whole: Check = lambda answer: True


class Traffic:
    """Calls drawn at random from a mix; the same seed draws the same calls."""

    def __init__(self, sentences: Sequence[str], seed: int) -> None:
        self._sentences = sentences
        self._random = random.Random(seed)
        self._kinds: dict[Callable[[], Call], int] = {  # the value: how many of 100 calls
            self._one: 35,
            self._several: 20,
            self._scored: 5,
            self._json_lines: 8,
            self._plain: 8,
            self._csv: 5,
            self._packed: 4,
            self._document: 4,
            self._stream: 4,
            self._refused: 7,
        }

    def draw(self) -> Call:
        (make,) = self._random.choices(list(self._kinds), list(self._kinds.values()))
        return make()

    def _texts(self, most: int) -> list[str]:
        return self._random.choices(self._sentences, k=self._random.randint(1, most))

    def _beam(self) -> dict[str, object]:
        return {"beam_size": self._random.choice((1, 4))}

    def _one(self) -> Call:
        body = {"instances": self._texts(1), "parameters": self._beam()}
        return Call("one sentence", _json(body), whole=_predictions(1))

    def _several(self) -> Call:
        texts = self._texts(32)
        return Call("several sentences", _json({"inputs": texts}), whole=lambda answer: _count(answer) == len(texts))

    def _scored(self) -> Call:
        texts = self._texts(4)
        options = {"num_hypotheses": 2, "return_scores": True, "return_alignment": True}
        body = {"instances": texts, "parameters": options}
        return Call("scores and alignment", _json(body), whole=_predictions(len(texts)))

    def _json_lines(self) -> Call:
        texts = self._texts(16)
        body = "\n".join(json.dumps({"text": text}) for text in texts)
        return Call("JSON lines", body.encode(), LINES, whole=_has_lines(len(texts)))

    def _plain(self) -> Call:
        texts = self._texts(16)
        return Call("text", "\n".join(texts).encode(), "text/plain", whole=_has_lines(len(texts)))

    def _csv(self) -> Call:
        texts = [text.replace('"', "") for text in self._texts(8)]
        body = "\n".join(f'"{text}",1' for text in texts)
        return Call("CSV", body.encode(), "text/csv", whole=_has_lines(len(texts)))

    def _packed(self) -> Call:
        texts = self._texts(8)
        body = gzip.compress(_json({"instances": texts}))
        return Call("gzip", body, headers={"Content-Encoding": "gzip"}, whole=_predictions(len(texts)))

    def _document(self) -> Call:
        text = "\n\n".join(" ".join(self._texts(6)) for _ in range(self._random.randint(2, 8)))
        return Call("document", _json({"instances": [text]}), whole=_predictions(1))

    def _stream(self) -> Call:
        body = {"instances": [" ".join(self._texts(12))], "parameters": {"stream": True, "beam_size": 1}}
        return Call("stream", _json(body), whole=lambda answer: answer.endswith(b'{"done": true}\n'))

    def _refused(self) -> Call:
        text = self._texts(1)[0]
        wrong = (
            Call("refused", b'{"instances": ["' + text.encode(), status=400),
            Call("refused", _json({"instances": [text], "parameters": {"beam_size": 99}}), status=400),
            Call("refused", b"\xff\xfe\xfa", "text/plain", status=400),
            Call("refused", text.encode(), "image/png", status=415),
        )
        return self._random.choice(wrong)


def _json(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _count(answer: bytes) -> int:
    return len(json.loads(answer))


def _predictions(number: int) -> Check:
    return lambda answer: len(json.loads(answer)["predictions"]) == number


def _has_lines(number: int) -> Check:
    return lambda answer: len(answer.decode().split("\n")) == number
