"""Which thing does a message ask for? The program behind the prompt reads one JSON object: {"item": …}."""

# ruff: noqa: E501 - phrases and prompts, one a line

from __future__ import annotations

import random
from typing import Any

from search.compose import split

ITEMS = ("blue umbrella", "oak table", "garden gloves", "wall clock", "tea pot", "ink cartridge", "yoga mat", "desk fan", "bread knife", "floor lamp", "paper towels",
    "door mat", "coffee beans", "phone charger", "bath soap", "silver frame", "picnic basket", "wool socks", "red kettle", "bird house", "camping stove", "rain boots",
    "folding chair", "hand cream", "bed sheets", "olive oil", "music stand", "tool box", "paint brush", "kitchen scale", "sun hat", "dog leash", "flower vase", "notebook",
    "toaster", "ladder", "mirror", "pillow", "suitcase", "wheelbarrow")  # fmt: skip
FRAMES = ("I would like {n} {item}, please.", "Send me the {item} by {day}.", "Is the {item} in stock? If so I take {n}.", "{name} here. We need {n} {item} at the office.",
    "Please add a {item} to my order from {day}.", "Not the {other}, the {item}!", "Could {name} bring the {item} on {day}?", "One {item} and nothing else.",
    "Our {other} arrived, but I also asked for the {item}.", "Put {n} {item} aside for {name}.", "For {day}: {item}.", "How soon can you ship the {item}? I want it.",
    "I changed my mind: instead of the {other} I want the {item}.", "Hello, {item} times {n}. Thanks, {name}")  # fmt: skip
DAYS = ("Monday", "Wednesday", "Friday", "tomorrow", "next week")
NAMES = ("Ana", "Mr Brandt", "Keiko", "Dr Singh", "Paul")


def cases() -> list[tuple[str, str]]:
    rng, found = random.Random("orders"), []
    for item in ITEMS:
        for frame in rng.sample(FRAMES, 11):
            other = rng.choice([name for name in ITEMS if name != item])
            found.append(
                (
                    frame.format(
                        item=item, other=other, n=rng.randint(2, 9), day=rng.choice(DAYS), name=rng.choice(NAMES)
                    ),
                    item,
                )
            )
    return found


def shown(
    pairs: list[tuple[str, str]], head: str = "", field: str = "Message", answer: str = "JSON", cue: str | None = None
) -> str:
    parts = [f'{field}: {text}\n{answer}: {{"item": "{item}"}}' for text, item in pairs]
    return "\n\n".join([*([head] if head else []), *parts, f"{field}: {{input}}\n{cue or answer}:"])


A = [("Two garden benches for Saturday, please.", "garden bench"), ("I want the green scarf.", "green scarf"),
    ("Keep a bicycle pump for Lena.", "bicycle pump"), ("Not the cups, the plates!", "plates")]  # fmt: skip
B = [("Could you send 3 soup bowls?", "soup bowls"), ("We ran out of printer paper.", "printer paper"), ("Add the leather belt to my order.", "leather belt"),
    ("Instead of the vest I want the coat.", "coat")]  # fmt: skip
ASK = 'Extract the item that is wanted as JSON like {"item": "..."}.'
CANDIDATES = [
    ("short", "Extract the item as JSON with the key item."),
    ("short", "Which item is wanted? Answer in JSON."),
    ("strict", 'Output only {"item": "<name>"} and nothing before or after it.'),
    ("definitions", 'item: the thing that the writer wants to have now, without number and article.\nReply with one JSON object that has the single key "item".'),
    ("template", f"{ASK}\n\nMessage: {{input}}\nJSON:"),
    ("template-after", 'Message: {input}\nTask: write the wanted item as {"item": "name"}\nAnswer:'),
    ("template-bare", "{input}\n\nitem as JSON:"),
    ("examples-1", shown(A[:1])),
    ("examples-2", shown(A[:2])),
    ("examples-2-head", shown(A[:2], ASK)),
    ("examples-4", shown(A)),
    ("examples-4-head", shown(A, ASK)),
    ("examples-other", shown(B, ASK)),
    ("examples-8", shown([*A, *B], ASK)),
    ("examples-easy", shown([A[1], B[1], B[2]])),
    ("examples-hard", shown([A[3], B[3], A[0]])),
    ("examples-other-key", shown(A, ASK).replace('{"item"', '{"product"')),
    ("examples-list", shown(A, ASK).replace('": "', '": ["').replace('"}\n', '"]}\n')),
    ("examples-plain", "\n\n".join(f"Message: {text}\nItem: {item}" for text, item in A) + "\n\nMessage: {input}\nItem:"),
    ("arrows", "\n".join(f'{text} -> {{"item": "{item}"}}' for text, item in [*A, *B]) + "\n\n{input} ->"),
    ("arrows-short", 'message -> {"item": "thing"}\n\n{input} ->'),
    ("persona", 'You are the packing robot of a shop. You read a message and print what to pack, as {"item": "name of the thing"}.\n\nMessage: {input}\nRobot prints:'),
    ("verbose", 'A message from a customer is given below. It mentions a thing that the customer wishes to receive, and sometimes another thing as well that is not wanted. Write a JSON object with exactly one key, called "item", whose value is the name of the wanted thing as it stands in the message, without any number, and write nothing else at all.'),
    ("code", 'def wanted(message):\n    return {"item": name}\n\n>>> wanted("I want the green scarf.")\n{"item": "green scarf"}\n\n>>> wanted("{input}")\n'),
]  # fmt: skip


def task() -> dict[str, Any]:
    parts = split(cases(), "orders")
    seed = "What does the customer want?"
    return {
        "name": "orders", "kind": "json", "json_key": "item",
        "source": "phrases written for this project", "licence": "Apache-2.0",
        "block": "Message: {input}\nAnswer:", "max_tokens": 16, "seed": seed,
        "candidates": CANDIDATES, "demo_sets": [], "demo_instructions": [], "cases": parts,
    }  # fmt: skip
