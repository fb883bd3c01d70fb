"""A document's title, for models whose vendor has no place for it: words before the text."""

from gateway.core.catalogue import Model
from gateway.core.embedding import Input, Item
from gateway.core.errors import UnsupportedParameter

DEFAULT = "title: {title}\n"


def titled(content: Input, item: Item, model: Model) -> Input:
    """The content as the model is to read it, its title in words before it unless the vendor is told it apart.

    Raises `UnsupportedParameter` for a model that takes no title, and for a title of token ids.
    """
    if not item.title or model.accepts_title:
        return content
    template = DEFAULT if model.title_prefix is None else model.title_prefix
    if not template:
        raise UnsupportedParameter(f"The model {model.name!r} takes no title.", param="title", value=item.title)
    if not isinstance(content, str):
        raise UnsupportedParameter("A title cannot stand before token ids: send text.", param="title", value=item.title)
    return template.replace("{title}", item.title) + content


def replaces_prefix(item: Item, model: Model) -> bool:
    """Whether the title's words are all that stands before the text: they do if the model's row has its own."""
    return bool(item.title and model.title_prefix and not model.accepts_title)
