"""YAML without its traps: a key written twice is a mistake, and `2024-10-21` is text, not a date."""

from typing import Any

import yaml

_DATE = "tag:yaml.org,2002:timestamp"


def read_yaml(text: str) -> Any:  # any YAML
    """What the text says; raises `yaml.YAMLError`."""
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506  # a SafeLoader
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets as deep
        raise yaml.YAMLError("a number in it is too long, or it is nested too deep") from error


class _StrictLoader(yaml.SafeLoader):
    # Versions of Azure's API are dates, and the rows want them as text.
    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own way of saying it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:  # PyYAML's own anchors
        node = super().compose_mapping_node(anchor)
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise yaml.composer.ComposerError(
                    None, None, f"the key {key!r} stands twice", node.value[position][0].start_mark
                )
        return node
