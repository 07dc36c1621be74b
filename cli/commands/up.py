"""Deploy the stack on this laptop, without data.

The emulator starts first, unless it runs already. Each start makes new keys; programs without them are refused.
"""

from __future__ import annotations

from typing import Final

from rich.text import Text

from cli import environments
from cli.stack import need_room, start_laptop
from cli.terminal import Terminal

EXAMPLES: Final = ("./lake up",)


def command() -> None:
    """Run the command; see the module."""
    need_room()
    environments.need("sam", "emulator")
    terminal = Terminal()
    addresses, environment = start_laptop(terminal.console)
    for name, address in addresses.items():
        terminal.console.print(Text(f"{name:<13} {address}"), soft_wrap=True)
    terminal.say("\nTo point the AWS command-line tool or an SDK at it:")
    for name, value in environment.items():
        terminal.say(f"  export {name}={value}")
    terminal.say(
        "\n`./lake connect --laptop` shows what other tools need. `./lake demo` fills the lake with data."
    )
