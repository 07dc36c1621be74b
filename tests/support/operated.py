"""The deployed laptop stack as the commands for operators see it."""

import io

import pytest
from rich.console import Console

from cli.app import PROGRAM, app
from cli.stack import DEFAULT_STACK, Lake
from cli.terminal import Terminal
from local.stack import LaptopStack


def as_lake(stack: LaptopStack) -> Lake:
    """Return the stack in the form that `cli.stack.find` gives it."""
    [found] = stack.client("cloudformation").describe_stacks(StackName=DEFAULT_STACK)["Stacks"]
    return Lake(
        on_laptop=True,
        stack=DEFAULT_STACK,
        account="000000000000",
        region="us-east-1",
        outputs=stack.outputs,
        parameters={one["ParameterKey"]: one["ParameterValue"] for one in found["Parameters"]},
        client=stack.client,
    )


class Person(Terminal):
    """Nobody who answers, but everything that was shown."""

    def __init__(self) -> None:
        self._output = io.StringIO()
        super().__init__(Console(file=self._output, width=200))

    @property
    def saw(self) -> str:
        """What was shown so far."""
        return self._output.getvalue()


def lake(*arguments: str) -> int:
    """Run the program `lake` in this process; return its exit status."""
    with pytest.raises(SystemExit) as ended:
        app(list(arguments), prog_name=PROGRAM)
    return int(ended.value.code or 0)
