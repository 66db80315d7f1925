"""Which team is to answer a customer's message?"""

# ruff: noqa: E501 - phrases and prompts, one a line

from __future__ import annotations

import random
from typing import Any

from search.compose import arrows, demo_sets, examples, split

LABELS = ("account", "billing", "delivery", "repair", "sales")
SAID = {
    "account": ("I can no longer sign in since I changed my {what}", "please delete my profile and everything in it", "the code for signing in never comes to my {what}",
        "somebody else seems to use my login", "how do I change the {what} you have for me", "I am locked out after three wrong passwords",
        "my old {what} is still shown on my profile page", "I want to merge my two logins into one", "the link to reset my password is said to be expired", "please close the login of my late father"),
    "billing": ("you took the money for the {thing} twice", "the invoice for the {thing} shows the wrong tax number", "where is the refund for the {thing} I sent back in {month}",
        "I was charged in {month} although I had cancelled", "I need a receipt for the {thing} for my employer", "the voucher was not taken off the price of the {thing}",
        "my card was refused but the amount is gone", "why is the {month} invoice higher than agreed", "please pay the deposit for the {thing} back", "can I pay for the {thing} in three parts from now on, the first bill came already"),
    "delivery": ("my {thing} should have come on {day} and has not", "the parcel with the {thing} lies at the wrong shop", "the driver left the {thing} in the rain",
        "can you bring the {thing} to my neighbour instead", "the tracking page has not changed since {day}", "only one of two boxes arrived on {day}",
        "I will be away on {day}, please come another day", "nobody rang, but the card says that I was not at home", "the box of the {thing} came open and half empty", "which carrier brings the {thing}, and at what hour on {day}"),
    "repair": ("the {thing} makes a grinding noise since {day}", "the {thing} does not switch on any more", "the screen of the {thing} stays black", "a part of the {thing} broke off",
        "the {thing} gets so hot that I dare not touch it", "my {thing} stopped working after {month}", "the {thing} shows error 17 and beeps",
        "water drips out of the {thing}", "the battery of the {thing} is flat after an hour", "the door of the {thing} does not shut any more"),
    "sales": ("does the {thing} also come in green", "what would forty pieces of the {thing} cost", "is the {thing} good for small kitchens", "which {thing} do you recommend for beginners",
        "will there be a newer {thing} in {month}", "do you have the {thing} in stock in your shop in town", "what is the difference between your two kinds of {thing}",
        "could you send me an offer for ten of the {thing}", "does the {thing} fit with the older model", "can I try the {thing} before I buy it"),
}  # fmt: skip
WORDS = {
    "what": ("phone number", "e-mail address", "name", "mobile"),
    "thing": ("toaster", "washing machine", "tablet", "blender", "vacuum cleaner", "heater", "coffee machine", "camera", "speaker", "fridge", "drill", "monitor"),
    "day": ("Monday", "Tuesday", "Thursday", "Friday", "Saturday"),
    "month": ("January", "March", "May", "August", "October"),
}  # fmt: skip
FRAMES = ("Hello, {said}.", "{said}. Please help.", "Hi team, {said}. Kind regards, {name}", "{said}. I have written twice already!", "Good morning. {said}. Thank you, {name}",
    "{said}?", "Quick question: {said}", "Second message: {said}.", "I am rather cross: {said}.", "{said}. What now?")  # fmt: skip
NAMES = ("Ida", "Tom B.", "Mrs Okafor", "Jonas", "Li Wei", "R. Patel", "Greta", "Sam")


def cases() -> list[tuple[str, str]]:
    rng, found = random.Random("queues"), []
    for label, sentences in SAID.items():
        for sentence in sentences:
            for _ in range(12):
                said = sentence.format(**{name: rng.choice(words) for name, words in WORDS.items()})
                text = rng.choice(FRAMES).format(said=said, name=rng.choice(NAMES))
                found.append((text[0].upper() + text[1:], label))
    return found


A = (("I forgot my password and the reset mail never arrives.", "account"), ("You billed me for two months instead of one.", "billing"),
    ("The courier brought somebody else's parcel.", "delivery"), ("My lawn mower does not start.", "repair"), ("Do you sell this chair in red?", "sales"))  # fmt: skip
B = (("Please remove my old address from my profile.", "account"), ("I never got my money back for the lamp.", "billing"),
    ("Where is my order? It was due yesterday.", "delivery"), ("The radio crackles and then goes silent.", "repair"), ("How much is the large model?", "sales"))  # fmt: skip
LIST = "account, billing, delivery, repair, sales"
ASK = f"Sort customer messages into {LIST}."
WRONG = [(text, LABELS[(LABELS.index(label) + 2) % 5]) for text, label in A]
CANDIDATES = [
    ("short", f"Which team should answer? Choose one word: {LIST}."),
    ("short", f"Classify the message as {LIST}."),
    ("strict", f"Print one of these words and nothing else: {LIST}."),
    ("definitions", "account: login, password, personal data.\nbilling: invoices, payments, refunds.\ndelivery: parcels, carriers, dates.\nrepair: something is broken.\nsales: questions before buying.\nPrint the word that fits the message."),
    ("template", f"Teams: {LIST}\n\nMessage: {{input}}\nTeam:"),
    ("template-after", f"Message: {{input}}\nQuestion: Which team is this for, {LIST}?\nAnswer:"),
    ("template-bare", f"{{input}}\nTeam ({LIST}):"),
    ("examples-5", examples(A, "Message", "Team")),
    ("examples-5-head", examples(A, "Message", "Team", ASK)),
    ("examples-other", examples(B, "Message", "Team", ASK)),
    ("examples-10", examples([*A, *B], "Message", "Team", ASK)),
    ("examples-3", examples(A[:3], "Message", "Team", ASK)),
    ("examples-one-label", examples([A[1], B[1]], "Message", "Team")),
    ("examples-wrong", examples(WRONG, "Message", "Team", ASK)),
    ("examples-sorted", examples(sorted([*A, *B], key=lambda pair: pair[1]), "Message", "Team")),
    ("examples-mixed", examples([B[3], A[0], B[4], A[2], B[1]], "Message", "Team")),
    ("examples-options", examples(B, "Message", "Team", cue=f"Team (one of {LIST})")),
    ("examples-definitions", examples(A, "Message", "Team", f"{ASK} account = login and data, billing = money, delivery = parcels, repair = defects, sales = before buying.")),
    ("arrows", arrows([*A, *B])),
    ("key-words", "password -> account\ninvoice -> billing\nparcel -> delivery\nbroken -> repair\nprice -> sales\n\n{input} ->"),
    ("bias", "Most messages are about a delivery. Write delivery unless the message is plainly about something else.\n\nMessage: {input}\nTeam:"),
    ("persona", f"You work at the front desk of a shop for household goods and pass every message on to one of your colleagues: {LIST}.\n\nMessage: {{input}}\nPass on to:"),
    ("verbose", f"You are going to read what a customer of a shop wrote to its service. There are five teams, which are called {LIST}. Decide which single one of them is responsible for solving the customer's problem, and name it with exactly its name in lower-case letters, without a greeting, an explanation or punctuation."),
    ("questions", "Is it about signing in? Write account. About money? Write billing. About a parcel? Write delivery. Is something broken? Write repair. Does the customer want to buy? Write sales.\n\nMessage: {input}\nWrite:"),
]  # fmt: skip


def task() -> dict[str, Any]:
    parts = split(cases(), "queues")
    seed = "Help this customer."
    return {
        "name": "queues", "kind": "label", "labels": list(LABELS),
        "source": "phrases written for this project", "licence": "Apache-2.0",
        "block": "Message: {input}\nAnswer:", "max_tokens": 6, "seed": seed,
        "candidates": CANDIDATES, "demo_sets": demo_sets(parts["train"], "queues", (5, 5)),
        "demo_instructions": [seed], "cases": parts,
    }  # fmt: skip
