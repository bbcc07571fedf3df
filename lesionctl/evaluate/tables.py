"""An analysis for programs: JSON under `evaluation.schema.json`, and a table with a row for each picture."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lesionctl import __version__
from lesionctl.evaluate.cases import BEFORE_FACTS, COUNTS
from lesionctl.scoring.figures import tolerance_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionctl.errors import Failure
    from lesionctl.evaluate.analysis import Analysis, Summary
    from lesionctl.evaluate.comparison import Comparison, Difference
    from lesionctl.evaluate.evaluation import ModelFacts
    from lesionctl.scoring.bootstrap import Estimate

SCHEMA = 2
"""Version of what `to_dict` gives; another one means that a key has gone or means something else."""

_CONFIDENCE = 0.95  # of every interval of an analysis


def to_dict(analysis: Analysis) -> dict[str, Any]:
    """The whole in JSON's forms, as `evaluation.schema.json`, which lies beside this module, describes them."""
    cases = analysis.cases
    tolerances = {name: tolerance_of(name) for name in analysis.summaries[0].per_image}
    return {
        "schema": SCHEMA,
        "program": f"lesionctl {__version__}",
        "truth": cases.title,
        "n": analysis.n,
        "groups": analysis.groups,
        "resolution": "each truth mask's own size",
        "tolerances": {name: asdict(tolerance) for name, tolerance in tolerances.items() if tolerance is not None},
        "store_digest": None if cases.store is None else cases.store.info.digest,
        "split": None if cases.split is None else str(cases.split),
        "fold": cases.fold,
        "truths": {"left_out": _failures(cases.left_out), "remarks": _remarks(cases.remarks)},
        "gaps": [asdict(gap) for gap in cases.gaps],
        "bootstrap": {
            "resamples": analysis.resamples,
            "seed": analysis.seed,
            "confidence": _CONFIDENCE,
            "unit": "group",
        },
        "evaluations": [_summary(summary) for summary in analysis.summaries],
        "comparisons": [_comparison(comparison) for comparison in analysis.comparisons],
    }


def to_csv(analysis: Analysis) -> str:
    """A row for each side and picture.

    Its columns: the side, the picture's id, source and group, whether the model has seen it in training (1, 0, or
    nothing where that cannot be known), whether there was no prediction that could be used (1 or 0), what is known of
    it, its counts of pixels, every figure.
    """
    figures = list(analysis.summaries[0].per_image)
    known = list(dict.fromkeys(column for facts in analysis.cases.facts for column in facts))
    known = [column for column in known if column not in BEFORE_FACTS]  # the source stands there already
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*BEFORE_FACTS, *known, *COUNTS, *figures])
    for summary in analysis.summaries:
        for image, facts in zip(summary.evaluation.images, analysis.cases.facts, strict=True):
            seen = "" if image.seen is None else int(image.seen)
            values = image.figures()
            writer.writerow(
                [
                    *(summary.name, image.id, image.source, image.group, seen, int(image.failed)),
                    *(facts.get(column, "") for column in known),
                    *(image.counts.tp, image.counts.fp, image.counts.fn, image.counts.tn),
                    *(f"{values[name]:.6f}" for name in figures),
                ]
            )
    return text.getvalue()


def _summary(summary: Summary) -> dict[str, Any]:
    evaluation = summary.evaluation
    return {
        "prediction": summary.name,
        "model": None if evaluation.model is None else _model(evaluation.model),
        "seen_in_training": None if evaluation.origin is None else evaluation.origin.to_dict()["seen_in_training"],
        "per_image": {
            name: {
                **_mean(estimate),
                "lower_quartile": summary.quartiles[name].lower,
                "median": summary.quartiles[name].median,
                "upper_quartile": summary.quartiles[name].upper,
            }
            for name, estimate in summary.per_image.items()
        },
        "pooled": {name: asdict(estimate) for name, estimate in summary.pooled.items()},
        "probabilities": {name: asdict(estimate) for name, estimate in summary.probabilities.items()},
        "confusion_pixels": asdict(summary.confusion),
        "mean_confusion": summary.mean_confusion,
        "best_threshold": evaluation.best_threshold,
        "subgroups": [
            {
                "column": part.column,
                "value": part.value,
                "n": part.n,
                "groups": part.groups,
                "figures": {name: _mean(estimate) for name, estimate in part.figures.items()},
            }
            for part in summary.subgroups
        ],
        "failures": _failures(evaluation.failures),
        "remarks": _remarks(evaluation.remarks),
    }


def _failures(found: Sequence[Failure]) -> list[dict[str, str]]:
    return [{"path": str(failure.path), "reason": failure.reason} for failure in found]


def _remarks(found: Sequence[Failure]) -> list[dict[str, str]]:
    return [{"path": str(remark.path), "remark": remark.reason} for remark in found]


def _model(model: ModelFacts) -> dict[str, Any]:
    spec = model.spec
    return {
        "name": spec.name,
        "files": [str(file) for file in model.files],
        "parameters": model.parameters,
        "bytes": model.bytes,
        "backend": model.backend,
        "threshold": spec.threshold,
        "postprocess": asdict(spec.postprocess),
        "training_digest": spec.training_digest,
        "licence": spec.licence,
        "training_data": spec.training_data,
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    differences = {difference.figure: _difference(difference) for difference in comparison.differences}
    return {"one": comparison.one, "other": comparison.other, "differences": differences}


def _difference(difference: Difference) -> dict[str, Any]:
    estimate = difference.estimate
    return {
        "difference": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "p_value": difference.p_value,
        "p_holm": difference.p_holm,
        "wins": difference.wins,
        "ties": difference.ties,
        "losses": difference.losses,
        "verdict": None if difference.verdict is None else str(difference.verdict),
    }


def _mean(estimate: Estimate) -> dict[str, float | None]:
    return {"mean": estimate.value, "low": estimate.low, "high": estimate.high}
