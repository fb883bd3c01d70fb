"""Stages: one per region, each at an address of its own. Nothing crosses regions."""

from collections.abc import Mapping, Sequence

from gateway.core.errors import ResourceNotFound, WrongRegion
from gateway.core.shown import quoted

Stages = Mapping[str, str | None]
"""The address of each stage by region, `None` where it is not known; in the order of infra/stages.yaml."""


def check_region(wanted: str, *, here: str, stages: Stages) -> None:
    """The region that a path names must be this stage's; raises `WrongRegion`, `ResourceNotFound`."""
    if wanted == here:
        return
    if wanted not in stages:
        raise unknown_region(wanted, list(stages))
    raise wrong_region(wanted, here=here, address=stages[wanted])


def unknown_region(wanted: str, regions: Sequence[str]) -> ResourceNotFound:
    """The error of a path with a region that no stage has."""
    known = " and ".join(filter(None, (", ".join(regions[:-1]), regions[-1])))
    return ResourceNotFound(f"There is no region {quoted(wanted)}: the regions are {known}.", param="region")


def wrong_region(wanted: str, *, here: str, address: str | None) -> WrongRegion:
    """The error of a path with the region of another stage, whose address may not be known."""
    where = f"ask {address} instead" if address else "ask the operator for that region's address"
    return WrongRegion(
        f"This address computes vectors in {here!r} only, and nothing crosses regions: for {wanted!r} {where}.",
        param="region",
    )
