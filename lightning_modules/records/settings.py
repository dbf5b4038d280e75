"""Settings of runs, by the keys of the command line."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightning_modules.records.problems import Unreadable

CLASS_PATH = re.compile(r"[\w.]*\w")
#: Settings of the trainer that decide what is learned.
TRAINING = (
    *("max_steps", "max_epochs", "max_time", "precision", "limit_train_batches"),
    *("accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm"),
)
#: Whether steps that are not finite are skipped; beside the trainer's in results where they are.
ON_DIVERGENCE = "on_divergence"
#: What models and cores choose themselves where a setting is null; it was the setting's default.
CHOSEN = {"model.hidden_size": 64, "model.memory.slots": 25}
#: Settings that decide on what is null.
BUDGETS = ("model.parameter_budget", "model.state_budget")
#: Settings that change no result; of sources, the one that was really used counts.
IRRELEVANT = {
    *(f"data.{name}" for name in ("eval_batch_size", "num_workers", "data_dir", "source")),
    "model.compile",
}


def flat(settings: Any) -> dict[str, Any]:
    """Return the settings of model, data and, if known, trainer by the keys of the command line.

    Raises:
        Unreadable: they have another form.
    """
    if not isinstance(settings, Mapping):
        raise Unreadable("is damaged: its settings have no names")
    for part in ("model", "data"):
        if not (isinstance(settings.get(part), Mapping) and "class_path" in settings[part]):
            raise Unreadable(f"is damaged: its settings name no class of the {part}")
    trainer = settings.get("trainer") or {}
    if not isinstance(trainer, Mapping):
        raise Unreadable("is damaged: its trainer's settings have no names")
    if settings.get(ON_DIVERGENCE, "stop") != "stop":  # of a config.yaml
        trainer = {**trainer, ON_DIVERGENCE: settings[ON_DIVERGENCE]}
    classes = (pair for part in ("model", "data") for pair in flattened(part, settings[part]))
    return {**dict(classes), **{f"trainer.{name}": value for name, value in trainer.items()}}


def flattened(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a setting, and those of the class that it names.

    Raises:
        Unreadable: what should name a class does not.
    """
    if not isinstance(value, Mapping) or "class_path" not in value:
        yield key, value
        return
    path, given = value["class_path"], value.get("init_args") or {}
    if not (isinstance(path, str) and CLASS_PATH.fullmatch(path) and isinstance(given, Mapping)):
        raise Unreadable(f"is damaged: its {key} is not a class with settings, {path!r:.40}")
    yield key, path.rpartition(".")[2]
    for name, inner in given.items():
        yield from flattened(f"{key}.{name}", inner)


def decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Select the settings that decide a run's results, apart from its seed."""
    training = {f"trainer.{name}" for name in (*TRAINING, ON_DIVERGENCE)}
    return {
        key: value
        for key, value in _spelled_out(settings).items()
        if key not in IRRELEVANT and (key.startswith(("model", "data")) or key in training)
    }


def given(settings: Mapping[str, Any], *parts: str) -> dict[str, Any]:
    """Select decisive settings that have an effect, by the beginnings of their keys.

    What is null or off is like what is not there: settings that came later are then no difference.
    """
    own = decisive(settings).items()
    return {key: value for key, value in own if key.startswith(parts) and value}


def _spelled_out(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Replace null by what it stands for, as runs of before have it."""
    # Other cores had null for their own choice before, too.
    cells = settings.get("model.memory") == "RMR" and settings.get("model.state_budget") is None
    width = not any(settings.get(budget) for budget in BUDGETS)
    chosen = {"model.hidden_size": width, "model.memory.slots": cells}
    null = (key for key, known in chosen.items() if known and settings.get(key, 0) is None)
    return {**settings, **{key: CHOSEN[key] for key in null}}


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the keys whose values are not the same in all settings."""
    keys = dict.fromkeys(key for each in settings for key in each)
    return [key for key in keys if any(e.get(key) != settings[0].get(key) for e in settings)]


def told_apart(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the keys whose values differ among the settings that have them.

    Records of older versions lack settings that came later, which tell them from new runs and say
    nothing of what was tried.
    """
    found = []
    for key in differing(settings):
        having = [each for each in settings if key in each]
        found += [key] if any(each[key] != having[0][key] for each in having) else []
    return found


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Shorten keys to their last part, or to all but the first where that is not unique."""
    last = {key: key.rpartition(".")[2] for key in keys}
    count = Counter(last.values())
    return {k: name if count[name] == 1 else k.partition(".")[2] for k, name in last.items()}
