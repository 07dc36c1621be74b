"""template.yaml as data, for the tests that look into it."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


class _Loader(yaml.CSafeLoader):
    """Reads the short forms of CloudFormation's functions: !Ref X becomes {"Ref": "X"}."""


def _function(loader: yaml.CSafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _function)


def load(path: Path = ROOT / "template.yaml") -> dict[str, Any]:
    """Return the template as written, or one that `sam build` made of it."""
    return yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader
