"""template.yaml and its nested stacks as data, for the tests that look into them."""

import copy
import functools
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
# Nested stacks that every lake has; the others are optional and have tests of their own.
NESTED = ("catalog", "monitoring", "bulk")


class _Loader(yaml.CSafeLoader):
    """Reads the short forms of CloudFormation's functions: !Ref X becomes {"Ref": "X"}."""


def _function(loader: yaml.CSafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _function)


def load(path: Path = ROOT / "template.yaml") -> dict[str, Any]:
    """Return the template as written, or one that `sam build` made of it."""
    return parse(path.read_text())


def parse(text: str) -> dict[str, Any]:
    """Return a template, or a part of one, as data that the caller may change."""
    return copy.deepcopy(_parsed(text))


@functools.cache
def _parsed(text: str) -> dict[str, Any]:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader


def nested(name: str) -> dict[str, Any]:
    """Return stacks/<name>.yaml as written."""
    return load(ROOT / "stacks" / f"{name}.yaml")


def resources() -> dict[str, dict[str, Any]]:
    """Return the resources of the template and of the nested stacks that every lake has, by their logical ids."""
    found = dict(load()["Resources"])
    for name in NESTED:
        inside = nested(name)["Resources"]
        assert not found.keys() & inside.keys(), "a logical id names one resource in the whole lake"
        found |= inside
    return found
