"""Answers out: the types of everything that is answered, and a writer for each content type.

`/openapi.json` and the table of answer fields in docs/http.md are made from these types. The writers make plain dicts
of these types, because pydantic would take longer for a sentence than all the rest of its answer.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal, NotRequired, Required

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from container.errors import NmtError, kind_of
from serve.engine.interface import Hypothesis, Translation
from serve.text.parameters import Parameters
from serve.text.records import Record
from serve.web.bodies import Body

INTERNAL = "The server failed on this request; its log says why."

_exact = with_config(ConfigDict(extra="forbid"))  # no other fields, says the schema
_encode = json.JSONEncoder(ensure_ascii=False).encode  # `json.dumps` would make a new encoder for each answer

Probability = Annotated[float, Field(ge=0, le=1)] | None  # null where no token of the text was translated
Word = Annotated[int, Field(ge=0)]
Link = Annotated[list[Word], Field(min_length=2, max_length=2)]


@_exact
class ErrorFields(TypedDict):
    """`code` is for programs, `message` for people."""

    code: str
    message: str


@_exact
class ErrorBody(TypedDict):
    """The body of every failed request."""

    error: ErrorFields


@_exact
class OneHypothesis(TypedDict):
    """One of several translations of a text."""

    translation: str
    score: float
    confidence: NotRequired[Probability]


@_exact
class TokenScore(TypedDict):
    """A token of the translation and its log-probability."""

    token: str
    score: float


@_exact
class Alternative(TypedDict):
    """Another word at a place of the translation, and the whole text that the word leads to."""

    word: str
    translation: str
    score: float


@_exact
class AnswerFields(TypedDict, total=False):
    """What may stand beside a translation."""

    score: Annotated[float, Field(description="with `return_scores`: the score of the translation")]
    confidence: Annotated[
        Probability, Field(description="with `return_confidence`: how probable it is that the translation is good")
    ]
    hypotheses: Annotated[
        list[OneHypothesis], Field(description="with `num_hypotheses` above 1: that many translations, best first")
    ]
    token_scores: Annotated[
        list[TokenScore], Field(description="with `return_token_scores`: the log-probability of each token")
    ]
    alignment: Annotated[
        list[Link], Field(description="with `return_alignment`: pairs of source word and target word, counted from 0")
    ]
    alternatives: Annotated[
        list[Alternative], Field(description="with `alternatives_at`: other words at that place, best first")
    ]
    warning: Annotated[str, Field(description="why the text or its translation is doubtful, where it is")]


@_exact
class Prediction(AnswerFields):
    """The answer for one text."""

    translation: Required[Annotated[str, Field(description="always: the best translation")]]


@_exact
class HuggingFacePrediction(AnswerFields):
    """The answer for one text of a body with `inputs`, with the name that Hugging Face's endpoints use."""

    translation_text: Required[Annotated[str, Field(description="as `translation`, for a body with `inputs`")]]


@_exact
class Predictions(TypedDict):
    """The answer to a body with `instances`: an entry for each text, in order."""

    predictions: list[Prediction | ErrorBody]


Answer = Predictions | list[HuggingFacePrediction | ErrorBody]


class StreamLine(TypedDict):
    """One sentence of a stream; `index` counts the sentences of the whole request."""

    index: int
    translation: str
    warning: NotRequired[str]


class StreamEnd(TypedDict):
    """The last line of a whole stream."""

    done: Literal[True]


# ---- failures ------------------------------------------------------------------------------------------


def error_body(error: BaseException) -> ErrorBody:
    """The body that answers `error`; the message of an exception that is not ours is left out."""
    return error_of(kind_of(error).code, str(error) if isinstance(error, NmtError) else INTERNAL)


def error_of(code: str, message: str) -> ErrorBody:
    """The body of a failed request."""
    return {"error": {"code": code, "message": message}}


# ---- one text ------------------------------------------------------------------------------------------


def _prediction(record: Record, translation: Translation) -> Prediction | ErrorBody:
    if record.error:
        return error_body(record.error)
    entry: Prediction = {"translation": translation.hypotheses[0].text}
    _add_fields(entry, record.parameters, translation)
    return entry


def _hugging_face_prediction(record: Record, translation: Translation) -> HuggingFacePrediction | ErrorBody:
    if record.error:
        return error_body(record.error)
    entry: HuggingFacePrediction = {"translation_text": translation.hypotheses[0].text}
    _add_fields(entry, record.parameters, translation)
    return entry


def _add_fields(entry: AnswerFields, parameters: Parameters, translation: Translation) -> None:
    """Add to `entry` what the parameters ask for."""
    best = translation.hypotheses[0]
    if parameters.return_scores:
        entry["score"] = best.score
    if parameters.return_confidence:
        entry["confidence"] = best.confidence
    if parameters.num_hypotheses > 1:
        entry["hypotheses"] = [_hypothesis(each, parameters) for each in translation.hypotheses]
    if parameters.return_token_scores:
        entry["token_scores"] = [{"token": token, "score": score} for token, score in best.token_scores]
    if parameters.return_alignment:
        entry["alignment"] = [list(link) for link in best.alignment]
    if parameters.alternatives_at is not None:
        entry["alternatives"] = [
            {"word": each.word, "translation": each.text, "score": each.score} for each in translation.alternatives
        ]
    if translation.warning:
        entry["warning"] = translation.warning


def _hypothesis(hypothesis: Hypothesis, parameters: Parameters) -> OneHypothesis:
    entry: OneHypothesis = {"translation": hypothesis.text, "score": hypothesis.score}
    if parameters.return_confidence:
        entry["confidence"] = hypothesis.confidence
    return entry


# ---- a writer for each content type --------------------------------------------------------------------


def write_json(body: Body, translations: Sequence[Translation]) -> str:
    """One JSON document in the shape of the body."""
    pairs = zip(body.records, translations, strict=True)
    answer: Answer
    if body.shape == "inputs":  # as Hugging Face endpoints answer
        answer = [_hugging_face_prediction(*pair) for pair in pairs]
    else:
        answer = {"predictions": [_prediction(*pair) for pair in pairs]}
    return _encode(answer)


def write_json_lines(body: Body, translations: Sequence[Translation]) -> str:
    """A JSON object a line."""
    return join_lines(body, [_encode(_prediction(*pair)) for pair in zip(body.records, translations, strict=True)])


def write_text(body: Body, translations: Sequence[Translation]) -> str:
    """A translation a line."""
    return join_lines(body, [_one_line(translation) for translation in translations])


def write_csv(body: Body, translations: Sequence[Translation]) -> str:
    """A translation a row, quoted where it must be."""
    rows = []
    for translation in translations:
        row = io.StringIO()
        csv.writer(row, lineterminator="").writerow([_one_line(translation)])
        rows.append(row.getvalue())
    return join_lines(body, rows)


def join_lines(body: Body, lines: list[str]) -> str:
    """One line for each record; the last one ends as the body's last line did, so that parts can be joined."""
    return "\n".join(lines) + ("\n" if lines and body.ends_line else "")


def _one_line(translation: Translation) -> str:
    return re.sub(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+", " ", translation.hypotheses[0].text)


def write_stream(translations: Iterable[Translation]) -> Iterator[str]:
    """One JSON line a sentence as it comes, then `{"done": true}`: without that line the answer is not whole.

    A failure on the way becomes the last line, an `error` as elsewhere, because the status has been sent by then.
    """
    try:
        for index, translation in enumerate(translations):
            line: StreamLine = {"index": index, "translation": translation.hypotheses[0].text}
            if translation.warning:
                line["warning"] = translation.warning
            yield _encode(line) + "\n"
        end: StreamEnd = {"done": True}
        yield _encode(end) + "\n"
    except NmtError as error:
        yield _encode(error_body(error)) + "\n"
