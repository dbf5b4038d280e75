"""Groups of runs that differ only in their number of memory slots."""

from collections.abc import Iterator, Sequence

from lightning_modules.records.groups import Group
from lightning_modules.records.settings import decisive

SLOTS = "model.memory.slots"


def scaling_families(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Yield sets of two or more groups that differ only in slots, ordered by slots."""
    families: dict[tuple[str, str, tuple[str, ...]], list[Group]] = {}
    for group in groups:
        if slots_of(group) is not None:
            first = group.runs[0]
            family = first.declared.model, first.declared.core, without_slots(group).settings
            families.setdefault(family, []).append(group)
    for members in families.values():
        if len({slots_of(member) for member in members}) > 1:
            yield sorted(members, key=lambda member: slots_of(member) or 0)


def slots_of(group: Group) -> int | None:
    """Return the slots of a group's memory; None if they follow from the sequence length."""
    slots = decisive(group.runs[0].settings).get(SLOTS)
    return slots if isinstance(slots, int) else None


def without_slots(group: Group) -> Group:
    """Return a group without the slots in its label."""
    settings = tuple(each for each in group.settings if not each.startswith("slots="))
    return group._replace(settings=settings)
