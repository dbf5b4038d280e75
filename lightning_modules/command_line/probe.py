"""``probe``: tests what a trained model's memory is used for, and how far it reaches."""

from argparse import ArgumentTypeError
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, get_args

import torch

from lightning_modules.callbacks.pictures import title_of
from lightning_modules.command_line.checkpoint_check import require_restorable, shapes
from lightning_modules.command_line.checkpoint_settings import with_config_of_run
from lightning_modules.command_line.class_settings import settings_of
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.rerun import Rebuilt
from lightning_modules.command_line.usage_error import UsageError, nearest_file
from lightning_modules.pictures.probe import Length, probe_figure
from lightning_modules.probes import (
    DONOR,
    OWN,
    PROBED,
    Change,
    Measured,
    Probes,
    SlotRows,
    measure,
    slot_rows,
)
from lightning_modules.records.picture_file import save_picture
from lightning_modules.records.probe_file import Changed, Lengthened, Probe, save_probe
from lightning_modules.records.run_folder import RunFolder, shown
from lightning_modules.records.sizes import GROWS
from lightning_modules.speed.preparation import prepare
from lightning_modules.table import columns

DESCRIPTION = """\
Probe a trained memory: change what is stored before recall, and measure what is
then recalled, on the test set.

  untouched     nothing is changed
  zeroed        the stored content is erased
  shuffled      rows are permuted among the slots: a core that reads by location
                (pointers, links) fails, one that reads by content does not. Neural
                processes: the contexts are reordered in time
  transplanted  the memory is another sequence's, the donor's
  own, donor's  share of frames generated after the given ones that a classifier
                assigns to the class to be recalled, or to the donor's

Then the same parameters are tested on longer sequences, with more slots if the core
derives their number from the length and its parameters allow it. Load: items stored
per thousand numbers of state.

Writes probe.json, which the page of `compare` shows, and probe.png to the run's folder."""
CHANGES: tuple[Change, ...] = get_args(Change)


class Subject(Rebuilt):
    """A run's model and data, ready to be measured.

    Args:
        words: options that specify them.
    """

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__([*words], run=False)
        self.words = words

    def restore(self, weights: dict[str, Any]) -> None:
        """Load a checkpoint's weights, and prepare the test data."""
        self.model.load_state_dict(weights)
        self.datamodule.prepare_test_data()
        self.datamodule.setup("test")

    def varied(self, *settings: str) -> "Subject":
        """Build a variant with other settings and the same width."""
        width = f"--model.{self.model.width_setting}={self.model.units}"
        return Subject([*self.words, width, "--model.state_budget=null", *settings])

    @property
    def probes(self) -> Probes:
        """The probes of the model's family."""
        return self.model.measures.probes


def probe(args: list[str]) -> None:
    """Change what a trained model has stored, and measure what it then recalls.

    Args:
        args: a run's folder or a checkpoint, and options.
    """
    parser = _parser()
    options, settings = parser.parse_with_settings(args)
    if options.sequences < 2:
        parser.error(f"--sequences must be at least 2, got {options.sequences}")
    checkpoint = checkpoint_of(options.run)
    words = with_config_of_run(["probe", *settings, f"--ckpt_path={checkpoint}"])
    subject = Subject([w for w in words[1:] if not w.startswith("--ckpt_path")])
    weights = require_restorable(checkpoint, subject.model)["state_dict"]
    prepare()
    try:
        result = probed(subject, weights, options.times, options.sequences)
    except ValueError as failure:
        subject.explain(failure)
        raise
    title = title_of(subject.datamodule, subject.model, None)
    print("\n".join([f"{title}, {shown(checkpoint)}", *report(result)]))
    folder = RunFolder.of_checkpoint(checkpoint) or RunFolder(checkpoint.parent)
    save_probe(result, folder.probe)
    subtitle = f"{subject.datamodule.data_record()['source']}, {result.sequences:,} test sequences"
    figure = probe_figure(
        {each.change: each.value for each in result.changed},
        {each.change: (each.own, each.donor) for each in result.changed},
        [Length(each.times, each.value, each.load) for each in result.lengthened],
        result.label,
        (title, subtitle),
        subject.model.look.colour,
    )
    save_picture(figure, folder.probe_picture)
    print(f"\nWritten: {shown(folder.probe)}, {shown(folder.probe_picture)}", flush=True)


def _parser() -> CommandParser:
    parser = CommandParser("probe", DESCRIPTION)
    parser.usage = f"{parser.prog} RUN [--sequences N] [--times N,N,...] [--KEY=VALUE ...]"
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder, or a checkpoint")
    parser.add_argument(
        "--sequences",
        type=int,
        default=200,
        metavar="N",
        help="test sequences, rounded up to whole batches (default: 200)",
    )
    parser.add_argument(
        "--times",
        type=_times,
        default=[2, 4, 8, 16],
        metavar="N,N,...",
        help='factors by which to lengthen sequences (default: 2,4,8,16; "" for none)',
    )
    return parser


def _times(text: str) -> list[int]:
    words = [word for word in text.split(",") if word]
    if not all(word.isdecimal() and int(word) > 1 for word in words):
        raise ArgumentTypeError(f"must be whole numbers above 1, got {text}")
    return [int(word) for word in words]


def checkpoint_of(path: Path) -> Path:
    """Return a path's checkpoint: the file itself, or a run's best one, else its last.

    Raises:
        UsageError: there is no checkpoint.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise UsageError(f"there is no file or folder {path}{nearest_file(str(path))}")
    folder = RunFolder(path)
    for state in (folder.best_checkpoint, *folder.states):
        if state.is_file():
            return state
    raise UsageError(f"{shown(path)} has no checkpoint, such as {shown(folder.best_checkpoint)}")


def probed(subject: Subject, weights: dict[str, Any], times: Sequence[int], at_least: int) -> Probe:
    """Measure under all changes, then on longer sequences.

    Raises:
        UsageError: nothing is recalled on this benchmark.
    """
    subject.restore(weights)
    probes, notes = subject.probes, []
    rows = rows_of(subject) if probes.by_rows else {}
    changes = [change for change in CHANGES if change != "shuffled" or rows or not probes.by_rows]
    if len(changes) < len(CHANGES):
        core = type(subject.model.core).__name__
        notes.append(f"shuffled: left out, {core} has no slots whose rows could be permuted")
    found = measure(subject.model, subject.datamodule, changes, rows, at_least)
    untouched = found.sums["untouched"]
    if untouched[PROBED].nowhere:
        name = type(subject.datamodule).__name__
        raise UsageError(f"data: {name} has no recall phase here: {probes.missing}")
    values = {name: probes.value(sums, untouched) for name, sums in found.sums.items()}
    longer = list(lengthened(subject, weights, times, at_least))
    declared = subject.model.measures.family[probes.measure]
    return Probe(
        measure=declared.header,
        unit=declared.unit,
        sentence=probes.sentence,
        sequences=found.sequences,
        changed=[
            Changed(name, values[name], float(sums[OWN].mean), float(sums[DONOR].mean))
            for name, sums in found.sums.items()
        ],
        lengthened=[
            _length(subject, 1, found),
            *(each for each in longer if isinstance(each, Lengthened)),
        ],
        notes=[*notes, *(each for each in longer if isinstance(each, str))],
    )


def rows_of(subject: Subject) -> SlotRows:
    """Return the fields of the core's state that have a row per slot, if any."""
    core = subject.model.core
    if not names_slots(subject):
        return {}
    like = next(core.parameters(), torch.empty(0)).new_empty(0)
    state = core.initial_state(1, like)
    # Larger than any dimension of the state, and so than its number of slots.
    slots = 1 + max(size for part in state for size in part.shape)
    larger = subject.varied(f"--model.memory.slots={slots}").model.core
    return slot_rows(state, larger.initial_state(1, like), slots)


def names_slots(subject: Subject) -> bool:
    """Return whether the number of the core's slots is a setting."""
    return type(subject.model).fixed_core is None and "slots" in settings_of(
        type(subject.model.core)
    )


def mismatched(subject: Subject, weights: dict[str, Any]) -> list[str]:
    """List the weights that the model lacks or has in other shapes."""
    saved, own = shapes(weights), shapes(subject.model.state_dict())
    return [name for name in {**saved, **own} if saved.get(name) != own.get(name)]


def lengthened(
    subject: Subject, weights: dict[str, Any], times: Sequence[int], at_least: int
) -> Iterator[Lengthened | str]:
    """Yield the measurements on longer sequences, or one line on why there are none."""
    data, setting = subject.datamodule, subject.datamodule.longer_by
    if setting is None:
        yield f"longer: left out, sequences of {type(data).__name__} have a fixed length"
        return
    # Naming the source keeps it from being announced again.
    source_name = data.source_record().get("source") if "source" in data.hparams else None
    source = [] if source_name is None else [f"--data.source={source_name}"]
    for number in times:
        length = f"--data.{setting}={number * getattr(data, setting)}"
        try:
            longer = subject.varied(length, *source)
            mismatches = mismatched(longer, weights)
            if mismatches and names_slots(subject):
                # Some parameter shapes depend on the number of slots, which then must not change.
                slots = f"--model.memory.slots={subject.model.core.slots}"
                longer = subject.varied(length, *source, slots)
                mismatches = mismatched(longer, weights)
        except UsageError as mistake:
            reason = str(mistake).partition("\n")[0]
            yield f"{number} times as long: left out, {reason}"
            continue
        if mismatches:
            core = type(subject.model.core).__name__
            yield (
                f"longer: left out, the parameters of {core} depend on the sequence length "
                f"({', '.join(mismatches[:1])})"
            )
            return
        longer.restore(weights)
        yield _length(
            longer, number, measure(longer.model, longer.datamodule, ["untouched"], {}, at_least)
        )


def _length(subject: Subject, times: int, found: Measured) -> Lengthened:
    sums = found.sums["untouched"]
    value = subject.probes.value(sums, sums)
    return Lengthened(times, found.steps, found.stored, subject.model.state_size, value)


def report(result: Probe) -> Iterator[str]:
    """Yield the terminal's output: the measure, two tables, and what was left out."""
    yield f"{result.sentence}; {result.sequences:,} test sequences\n"
    classes = any(isfinite(each.own) for each in result.changed)
    header = ["stored", result.label, *(["own class", "donor's class"] if classes else [])]
    yield columns(
        header,
        (
            [each.change, *map(_number, [each.value, each.own, each.donor][: len(header) - 1])]
            for each in result.changed
        ),
        texts=1,
    )
    yield ""
    yield columns(
        ("times as long", "steps", "items stored", "state size", "load", result.label),
        (
            [
                str(each.times),
                f"{each.steps:,}",
                f"{each.stored:,.0f}",
                GROWS if each.state is None else f"{each.state:,}",
                _number(each.load),
                _number(each.value),
            ]
            for each in result.lengthened
        ),
        texts=0,
    )
    if result.notes:
        yield "\n" + "\n".join(f"  {note}" for note in result.notes)


def _number(value: float) -> str:
    return f"{value:.3f}" if isfinite(value) else "-"
