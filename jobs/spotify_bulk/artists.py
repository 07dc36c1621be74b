"""Artist names that contain the separator used between several artists."""

from typing import Final

COMMA_NAMES: Final = (
    "Tyler, The Creator",
    "Earth, Wind & Fire",
    "Crosby, Stills & Nash",
    "Crosby, Stills, Nash & Young",
    "Emerson, Lake & Palmer",
    "Peter, Paul and Mary",
    "Blood, Sweat & Tears",
    "Lost Frequencies, Ltd.",
    "Now, Now",
)
