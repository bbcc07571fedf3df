"""The methods paragraph: what was done, from the record alone; what the record does not say is not there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lesionctl.evaluate.report.document import Paragraph, Section, Words
from lesionctl.evaluate.report.sources import citations_of_encoder, citations_of_source
from lesionctl.evaluate.report.training import training_sentences
from lesionctl.evaluate.report.wording import SPLITS, TOO_FEW, count_of, join
from lesionctl.nets.spec import ClassicSpec, DeepLabV3PlusSpec
from lesionctl.scoring.figures import tolerance_of

if TYPE_CHECKING:
    from lesionctl.dataset.store import Store
    from lesionctl.evaluate.evaluation import ModelFacts
    from lesionctl.evaluate.report.material import Material
    from lesionctl.evaluate.report.run import Run

_NETWORKS = {
    "unet": ("a U-Net", ("ronneberger2015",)),
    "deeplabv3plus": ("a DeepLabV3+", ("chen2018",)),
    "classic": ("a batch-normed and padded U-Net", ("ronneberger2015", "ioffe2015")),
}


def methods_section(material: Material) -> Section:
    """Data, training, decision, scoring, statistics, software."""
    paragraphs = [Paragraph(tuple(_data(material)), title="Data")]
    for name, side, run in zip(material.names, material.sides, material.runs, strict=True):
        if side.model is not None:
            paragraphs.append(Paragraph(tuple(_model(name, side.model, run)), title=f"Model {name}"))
    paragraphs += [
        Paragraph(tuple(_scoring(material)), title="Scoring"),
        Paragraph(tuple(_statistics(material)), title="Statistics"),
        Paragraph(tuple(_software(material)), title="Software"),
    ]
    return Section("methods", "Methods", tuple(paragraphs))


def _data(material: Material) -> list[Words]:
    analysis = material.analysis
    cases = analysis.cases
    sources = dict.fromkeys(case.source for case in cases.items)
    cites = dict.fromkeys(key for source in sources for key in citations_of_source(source))
    groups = f"{count_of(analysis.n, 'picture')} in {count_of(analysis.groups, 'group')}"
    said = [Words(f"Scored were {groups}, from {join(list(sources))}", tuple(cites))]
    if cases.store is None:
        return said
    store = cases.store if cases.fold is None else cases.store.at_fold(cases.fold)
    numbers = Counter(str(sample.split) for sample in store.samples)
    parts = join([f"{numbers[name]:,} for {what}" for name, what in SPLITS.items() if numbers[name]])
    said.append(
        Words(
            f"The prepared set (digest {store.info.digest[:12]}…) holds {count_of(len(store.samples), 'picture')}: "
            f"{parts}."
        )
    )
    fold = "" if cases.fold is None else f" of fold {cases.fold} of {store.info.folds}"
    said.append(
        Words(f"These are its {SPLITS[str(cases.split)]} split{fold}; the seed of the split is {store.info.seed}.")
    )
    if _groups_are_apart(store):
        said.append(Words("No group of pictures (of a lesion, a patient or a file) stands in two splits."))
    return said


def _groups_are_apart(store: Store) -> bool:
    splits: dict[str, str] = {}
    return all(splits.setdefault(sample.group, sample.split) == sample.split for sample in store.samples)


def _model(name: str, model: ModelFacts, run: Run | None) -> list[Words]:
    spec = model.spec
    kind, cites = _NETWORKS[str(spec.net.arch)]
    parameters = f"{model.parameters:,} parameters"
    if len(model.files) > 1:
        said = [
            Words(f"{name} is the mean of the probabilities of {len(model.files)} models with {parameters} together."),
        ]
    elif isinstance(spec.net, ClassicSpec):
        said = [Words(f"{name} is {kind} with {count_of(len(spec.net.widths), 'level')} and {parameters}", cites)]
    else:
        stride = (
            f"output stride {spec.net.output_stride}"
            if isinstance(spec.net, DeepLabV3PlusSpec)
            else f"decoder widths {', '.join(map(str, spec.net.decoder_channels))} to stride {spec.net.decoder_stride}"
        )
        said = [
            Words(f"{name} is {kind} with {stride} and {parameters}", cites),
            Words(f"Its encoder is timm's {spec.net.encoder}", citations_of_encoder(spec.net.encoder)),
        ]
    way = {"squash": "squashed", "pad": "scaled and padded"}[str(spec.resize)]
    said.append(Words(f"Pictures were {way} to {spec.size} × {spec.size} pixels."))
    if run is not None:
        said += training_sentences(run)
    said.append(
        Words(
            f"A pixel was called lesion where its probability, brought to the picture's own size, is above "
            f"{spec.threshold:g}; post-processing: {spec.postprocess.describe()}."
        )
    )
    if run is not None and run.best is not None:
        said.append(
            Words(
                "On pictures that it had not learned from, the threshold with the highest mean Jaccard was chosen, "
                "then the post-processing at that threshold, then the best of the thresholds around it."
            )
        )
    return said


def _scoring(material: Material) -> list[Words]:
    names = list(material.analysis.summaries[0].per_image)
    said = [
        Words(
            "Each mask was compared with its truth at the truth's own size, lesion being what is above 128 of 255 in a "
            "mask file, and each figure is the plain mean over pictures, as in the ISIC challenges; pooled figures "
            "are of all pixels together and always named so",
            ("isic2018",),
        ),
        Words("Where both masks are empty, Dice and Jaccard are 1; with no lesion in the truth recall is 1."),
        Words(
            "A prediction that is missing or cannot be used counts as an empty one, of a model with a probability of 0 "
            "everywhere; a picture whose true mask cannot be used is left out for all sides."
        ),
        Words(
            "HD95 and the average symmetric surface distance are between the pixels on both boundaries; where one mask "
            "alone is empty they are the picture's diagonal, where both are they are 0",
            ("maierhein2024",),
        ),
    ]
    tolerances = [str(tolerance) for name in names if (tolerance := tolerance_of(name)) is not None]
    if tolerances:
        said.append(
            Words(
                f"Normalised surface Dice is at tolerances of {join(tolerances)}, per cent being of the diameter of "
                "the disc that is as large as the true lesion",
                ("nikolov2021",),
            )
        )
    said.append(Words("Boundary IoU is of bands of 2 % of the picture's diagonal", ("cheng2021",)))
    if any(summary.probabilities for summary in material.analysis.summaries):
        said.append(
            Words(
                "Curves and calibration are of all pixels together, of probabilities at the picture's own size, before "
                "the threshold and post-processing; the calibration error is over 15 bins",
                ("hanley1982", "davis2006", "brier1950", "naeini2015"),
            )
        )
    return said


def _statistics(material: Material) -> list[Words]:
    analysis = material.analysis
    said = []
    if analysis.has_intervals:
        said.append(
            Words(
                f"Intervals are 95 % percentile intervals of {analysis.resamples:,} bootstrap resamples, drawn by "
                f"group (seed {analysis.seed})",
                ("efron1979", "field2007"),
            )
        )
        kept = [summary.probabilities for summary in analysis.summaries if summary.probabilities]
        if any(found.low is None for probabilities in kept for found in probabilities.values()):
            said.append(Words("Figures of probabilities have none: the groups are too many to keep each one's pixels."))
        elif kept:
            said.append(Words("Those of probabilities are drawn from probabilities rounded to 256 levels."))
    elif analysis.resamples:
        said.append(Words(f"No intervals were computed: {count_of(analysis.groups, 'group')} are {TOO_FEW}."))
    else:
        said.append(Words("No intervals were computed."))
    if analysis.comparisons:
        tests = sum(len(comparison.differences) for comparison in analysis.comparisons)
        said += [
            Words("Sides were compared on the same pictures by their paired differences."),
            Words(
                "P-values are of Wilcoxon's signed-rank test on the groups' mean differences, two-sided",
                ("wilcoxon1945",),
            ),
            Words(f"They were corrected by Holm's method for all {tests} differences together", ("holm1979",)),
            Words("A difference whose interval holds zero is called a tie."),
        ]
    return said


def _software(material: Material) -> list[Words]:
    environment = material.environment
    said = [
        Words(
            f"Scored with lesionctl {environment['lesionctl']}, PyTorch {environment['torch']}, NumPy "
            f"{environment['numpy']} and OpenCV {environment['opencv']} under Python {environment['python']}",
            ("paszke2019",),
        )
    ]
    for name, run in zip(material.names, material.runs, strict=True):
        if run is not None and "lesionctl" in run.environment:
            known = {"lesionctl": "lesionctl", "torch": "PyTorch", "timm": "timm", "albumentations": "albumentations"}
            versions = [f"{what} {run.environment[key]}" for key, what in known.items() if run.environment.get(key)]
            said.append(Words(f"{name} was trained with {join(versions)}."))
    return said
