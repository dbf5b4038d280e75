"""Settings of runs, by the keys of the command line."""

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from lightning_modules.records.problems import Unreadable

CLASS_PATH = re.compile(r"[\w.]*\w")
#: Trainer settings that affect results.
TRAINING = (
    *("max_steps", "max_epochs", "max_time", "precision", "limit_train_batches"),
    *("accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm"),
)
#: Number of processes that train a run, each with its own batches; not a setting of the trainer.
WORLD_SIZE = "world_size"
#: Trainer settings that decide which state is the best.
VALIDATION = ("val_check_interval", "check_val_every_n_epoch", "limit_val_batches")
#: What older records lack: it is unknown there, not null.
RECORDED_LATER = (*VALIDATION, WORLD_SIZE)
#: Its keys.
LATER_KEYS = frozenset(f"trainer.{name}" for name in RECORDED_LATER)
#: How non-finite steps are handled; listed with the trainer's settings unless it is the default.
ON_DIVERGENCE = "on_divergence"
#: Values that models and cores use for a null setting; formerly the settings' defaults.
FORMER_DEFAULTS = {"model.hidden_size": 64, "model.memory.slots": 25}
#: Settings that determine the value of null settings.
BUDGETS = ("model.parameter_budget", "model.state_budget")
#: Settings that do not affect results; the source that was actually used is recorded separately.
IRRELEVANT = {
    *(f"data.{name}" for name in ("eval_batch_size", "num_workers", "data_dir", "source")),
    "model.compile",
}


def flat(settings: Any) -> dict[str, Any]:
    """Flatten the settings of model, data and, if present, trainer to command-line keys.

    Raises:
        Unreadable: the settings are malformed.
    """
    if not isinstance(settings, Mapping):
        raise Unreadable("is damaged: its settings are not a mapping")
    for part in ("model", "data"):
        if not (isinstance(settings.get(part), Mapping) and "class_path" in settings[part]):
            raise Unreadable(f"is damaged: its settings name no class of the {part}")
    trainer = settings.get("trainer") or {}
    if not isinstance(trainer, Mapping):
        raise Unreadable("is damaged: its trainer's settings are not a mapping")
    if settings.get(ON_DIVERGENCE, "stop") != "stop":  # in a config.yaml
        trainer = {**trainer, ON_DIVERGENCE: settings[ON_DIVERGENCE]}
    classes = (pair for part in ("model", "data") for pair in flattened(part, settings[part]))
    return {**dict(classes), **{f"trainer.{name}": value for name, value in trainer.items()}}


def flattened(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a setting and, if it names a class, the settings of that class.

    Raises:
        Unreadable: the class is malformed.
    """
    if not isinstance(value, Mapping) or "class_path" not in value:
        yield key, value
        return
    path, args = value["class_path"], value.get("init_args") or {}
    if not (isinstance(path, str) and CLASS_PATH.fullmatch(path) and isinstance(args, Mapping)):
        raise Unreadable(f"is damaged: its {key} is not a class with settings, {path!r:.40}")
    yield key, path.rpartition(".")[2]
    for name, inner in args.items():
        yield from flattened(f"{key}.{name}", inner)


def decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Select the settings that affect a run's results, apart from its seed."""
    training = {f"trainer.{name}" for name in (*TRAINING, ON_DIVERGENCE)} | LATER_KEYS
    return {
        key: value
        for key, value in _spelled_out(settings).items()
        if key not in IRRELEVANT and (key.startswith(("model", "data")) or key in training)
    }


def completed(settings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Fill in what older records lack, if the runs that are otherwise alike have one value."""
    alike: dict[Hashable, list[dict[str, Any]]] = {}
    filled = [dict(each) for each in settings]
    for own in filled:
        others = {key: value for key, value in own.items() if key not in LATER_KEYS}
        alike.setdefault(hashable(others), []).append(own)
    for runs in alike.values():
        for key in sorted(LATER_KEYS):  # labels list settings in this order
            values = {hashable(own[key]): own[key] for own in runs if key in own}
            if len(values) == 1:
                (value,) = values.values()
                for own in runs:
                    own[key] = value
    return filled


def hashable(value: Any) -> Hashable:
    """Return a key that is equal for equal settings, as 10 and 10.0 are; null equals missing."""
    if isinstance(value, Mapping):
        known = (pair for pair in value.items() if pair[1] is not None)
        return tuple((key, hashable(inner)) for key, inner in sorted(known))
    return tuple(map(hashable, value)) if isinstance(value, list) else value


def effective(settings: Mapping[str, Any], *parts: str) -> dict[str, Any]:
    """Select decisive settings by key prefix, without those that are null or off.

    Null and off count as missing, so that settings added later make no difference.
    """
    own = decisive(settings).items()
    return {key: value for key, value in own if key.startswith(parts) and value}


def _spelled_out(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Replace null by the former default, as in the settings of older runs."""
    # For other cores, null slots have always meant the core's own choice.
    cells = settings.get("model.memory") == "RMR" and settings.get("model.state_budget") is None
    width = not any(settings.get(budget) for budget in BUDGETS)
    applies = {"model.hidden_size": width, "model.memory.slots": cells}
    null = (key for key, holds in applies.items() if holds and settings.get(key, 0) is None)
    return {**settings, **{key: FORMER_DEFAULTS[key] for key in null}}


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the keys whose values differ; a missing value counts as None."""
    keys = dict.fromkeys(key for each in settings for key in each)
    return [key for key in keys if any(e.get(key) != settings[0].get(key) for e in settings)]


def conflicting(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the keys whose values differ among the settings that have them.

    Unlike ``differing``, it ignores settings that older records lack because they did not exist.
    """
    keys = []
    for key in differing(settings):
        values = [each[key] for each in settings if key in each]
        keys += [key] if any(value != values[0] for value in values) else []
    return keys


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Shorten keys to their last part, or to all but the first part where that is ambiguous."""
    last = {key: key.rpartition(".")[2] for key in keys}
    count = Counter(last.values())
    return {k: name if count[name] == 1 else k.partition(".")[2] for k, name in last.items()}
