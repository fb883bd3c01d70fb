"""Which models a caller may use here."""

from dataclasses import dataclass

from gateway.core.caller import Caller
from gateway.core.catalogue import Model
from gateway.core.errors import ModelNotFound
from gateway.core.ports import CatalogueStore
from gateway.core.shown import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The models of this region that the caller's key permits."""

    region: str
    catalogue: CatalogueStore

    async def every(self, caller: Caller) -> list[Model]:
        """All of them, by name."""
        catalogue = await self.catalogue.catalogue()
        return [model for _, model in sorted(catalogue.models.items()) if self._is_open(model, caller)]

    async def one(self, name: str, caller: Caller) -> Model:
        """The one of that name or alias; raises `ModelNotFound`, also for a model the caller may not see."""
        model = await self.find(name)
        if not self._is_open(model, caller):
            raise ModelNotFound(f"The model {quoted(name)} does not exist.", model=name)
        return model

    async def find(self, name: str) -> Model:
        """The one of that name or alias, whoever may use it; raises `ModelNotFound`."""
        return (await self.catalogue.catalogue()).find(name)

    def _is_open(self, model: Model, caller: Caller) -> bool:
        return caller.may_use(model.name) and any(route.region == self.region for route in model.routes)
