"""Regions that Spotify publishes charts for: the code used in file names and exports, and the name in Kaggle's set."""

from typing import Final

REGIONS: Final = {
    "global": "Global",
    "ad": "Andorra",
    "ae": "United Arab Emirates",
    "ar": "Argentina",
    "at": "Austria",
    "au": "Australia",
    "be": "Belgium",
    "bg": "Bulgaria",
    "bo": "Bolivia",
    "br": "Brazil",
    "by": "Belarus",
    "ca": "Canada",
    "ch": "Switzerland",
    "cl": "Chile",
    "co": "Colombia",
    "cr": "Costa Rica",
    "cy": "Cyprus",
    "cz": "Czech Republic",
    "de": "Germany",
    "dk": "Denmark",
    "do": "Dominican Republic",
    "ec": "Ecuador",
    "ee": "Estonia",
    "eg": "Egypt",
    "es": "Spain",
    "fi": "Finland",
    "fr": "France",
    "gb": "United Kingdom",
    "gr": "Greece",
    "gt": "Guatemala",
    "hk": "Hong Kong",
    "hn": "Honduras",
    "hu": "Hungary",
    "id": "Indonesia",
    "ie": "Ireland",
    "il": "Israel",
    "in": "India",
    "is": "Iceland",
    "it": "Italy",
    "jp": "Japan",
    "kr": "South Korea",
    "kz": "Kazakhstan",
    "lt": "Lithuania",
    "lu": "Luxembourg",
    "lv": "Latvia",
    "ma": "Morocco",
    "mc": "Monaco",
    "mt": "Malta",
    "mx": "Mexico",
    "my": "Malaysia",
    "ng": "Nigeria",
    "ni": "Nicaragua",
    "nl": "Netherlands",
    "no": "Norway",
    "nz": "New Zealand",
    "pa": "Panama",
    "pe": "Peru",
    "ph": "Philippines",
    "pk": "Pakistan",
    "pl": "Poland",
    "pt": "Portugal",
    "py": "Paraguay",
    "ro": "Romania",
    "ru": "Russia",
    "sa": "Saudi Arabia",
    "se": "Sweden",
    "sg": "Singapore",
    "sk": "Slovakia",
    "sv": "El Salvador",
    "th": "Thailand",
    "tr": "Turkey",
    "tw": "Taiwan",
    "ua": "Ukraine",
    "us": "United States",
    "uy": "Uruguay",
    "ve": "Venezuela",
    "vn": "Vietnam",
    "za": "South Africa",
}

# ISO 3166's three-letter code of each region, and its other names: ISO's short and long ones, and common ones.
OTHER_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "global": ("GL", "Worldwide", "World"),
    "ad": ("AND", "Andorra, Principality of"),
    "ae": ("ARE", "UAE", "U.A.E."),
    "ar": ("ARG", "Argentine Republic"),
    "at": ("AUT", "Austria, Republic of"),
    "au": ("AUS",),
    "be": ("BEL", "Belgium, Kingdom of"),
    "bg": ("BGR", "Bulgaria, Republic of"),
    "bo": ("BOL", "Bolivia, Plurinational State of"),
    "br": ("BRA", "Brazil, Federative Republic of"),
    "by": ("BLR", "Belarus, Republic of"),
    "ca": ("CAN",),
    "ch": ("CHE", "Swiss Confederation"),
    "cl": ("CHL", "Chile, Republic of"),
    "co": ("COL", "Colombia, Republic of"),
    "cr": ("CRI", "Costa Rica, Republic of"),
    "cy": ("CYP", "Cyprus, Republic of"),
    "cz": ("CZE", "Czechia", "Czech Rep."),
    "de": ("DEU", "Germany, Federal Republic of"),
    "dk": ("DNK", "Denmark, Kingdom of"),
    "do": ("DOM", "Dominican Rep."),
    "ec": ("ECU", "Ecuador, Republic of"),
    "ee": ("EST", "Estonia, Republic of"),
    "eg": ("EGY", "Egypt, Arab Republic of"),
    "es": ("ESP", "Spain, Kingdom of"),
    "fi": ("FIN", "Finland, Republic of"),
    "fr": ("FRA", "French Republic"),
    "gb": ("GBR", "Great Britain and Northern Ireland, United Kingdom of", "UK", "U.K.", "Great Britain"),
    "gr": ("GRC", "Hellenic Republic"),
    "gt": ("GTM", "Guatemala, Republic of"),
    "hk": ("HKG", "Hong Kong Special Administrative Region of China", "Hong Kong SAR", "Hong Kong, China"),
    "hn": ("HND", "Honduras, Republic of"),
    "hu": ("HUN",),
    "id": ("IDN", "Indonesia, Republic of"),
    "ie": ("IRL",),
    "il": ("ISR", "Israel, State of"),
    "in": ("IND", "India, Republic of"),
    "is": ("ISL", "Iceland, Republic of"),
    "it": ("ITA", "Italian Republic"),
    "jp": ("JPN",),
    "kr": ("KOR", "Korea, Republic of", "Korea", "Korea, South"),
    "kz": ("KAZ", "Kazakhstan, Republic of"),
    "lt": ("LTU", "Lithuania, Republic of"),
    "lu": ("LUX", "Luxembourg, Grand Duchy of"),
    "lv": ("LVA", "Latvia, Republic of"),
    "ma": ("MAR", "Morocco, Kingdom of"),
    "mc": ("MCO", "Monaco, Principality of"),
    "mt": ("MLT", "Malta, Republic of"),
    "mx": ("MEX", "United Mexican States"),
    "my": ("MYS",),
    "ng": ("NGA", "Nigeria, Federal Republic of"),
    "ni": ("NIC", "Nicaragua, Republic of"),
    "nl": (
        "NLD",
        "Netherlands, Kingdom of the",
        "The Netherlands",
        "Netherlands (Kingdom of the)",
        "Holland",
    ),
    "no": ("NOR", "Norway, Kingdom of"),
    "nz": ("NZL",),
    "pa": ("PAN", "Panama, Republic of"),
    "pe": ("PER", "Peru, Republic of"),
    "ph": ("PHL", "Philippines, Republic of the"),
    "pk": ("PAK", "Pakistan, Islamic Republic of"),
    "pl": ("POL", "Poland, Republic of"),
    "pt": ("PRT", "Portuguese Republic"),
    "py": ("PRY", "Paraguay, Republic of"),
    "ro": ("ROU",),
    "ru": ("RUS", "Russian Federation"),
    "sa": ("SAU", "Saudi Arabia, Kingdom of"),
    "se": ("SWE", "Sweden, Kingdom of"),
    "sg": ("SGP", "Singapore, Republic of"),
    "sk": ("SVK", "Slovak Republic"),
    "sv": ("SLV", "El Salvador, Republic of"),
    "th": ("THA", "Thailand, Kingdom of"),
    "tr": ("TUR", "Türkiye", "Türkiye, Republic of", "Turkiye"),
    "tw": ("TWN", "Taiwan, Province of China", "Taiwan (Province of China)"),
    "ua": ("UKR",),
    "us": ("USA", "America, United States of", "U.S.", "U.S.A.", "United States, The"),
    "uy": ("URY", "Uruguay, Eastern Republic of"),
    "ve": ("VEN", "Venezuela, Bolivarian Republic of"),
    "vn": ("VNM", "Viet Nam", "Viet Nam, Socialist Republic of"),
    "za": ("ZAF", "South Africa, Republic of"),
}

CODES: Final = {name: code for code, name in REGIONS.items()}


def region_names() -> dict[str, str]:
    """Return the names of regions by every spelling, in lower case.

    ISO writes "Korea, Republic of"; "Republic of Korea" and "Korea (Republic of)" are the same region.
    """
    return {
        spelling: REGIONS[code]
        for code, names in OTHER_NAMES.items()
        for name in (code, REGIONS[code], *names)
        for spelling in _spellings(name.lower())
    }


def _spellings(name: str) -> set[str]:
    short, comma, long = name.partition(", ")
    forms = {name, f"{long} {short}", f"{short} ({long})"} if comma else {name}
    return forms | {form.replace(" ", joint) for form in forms for joint in "_-"}


def words_in_file_names() -> dict[str, str]:
    """Return the names of regions by the spellings that count in a file's name: "and" there is not Andorra's code."""
    codes = {names[0].lower() for code, names in OTHER_NAMES.items() if code != "global"}
    return {spelling: name for spelling, name in region_names().items() if spelling not in codes} | {
        "usa": REGIONS["us"]
    }
