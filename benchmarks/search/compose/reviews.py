"""Is a review of a purchase, a meal or a stay positive or negative?"""

# ruff: noqa: E501 - phrases and prompts, one a line

from __future__ import annotations

import random
from typing import Any

from search.compose import arrows, demo_sets, examples, split

THINGS = {
    "kettle": ("It boils in two minutes and hardly makes a sound", "It leaked all over the counter on the third day"),
    "rain jacket": ("Not a drop came through in a whole week of storms", "The seams let the water in after ten minutes"),
    "guest house": ("We were given tea, maps and the best room", "Nobody had changed the sheets before we came"),
    "bicycle light": ("Drivers see me from half a mile away", "The clip broke the first time I took it off"),
    "pizza place": ("The crust was thin, crisp and full of flavour", "Our food arrived cold after an hour of waiting"),
    "phone case": ("It has survived four falls onto concrete", "The corners peeled off within a week"),
    "dentist": ("She explained every step and I felt nothing", "He drilled before the injection had worked"),
    "language course": ("I could order dinner in Lisbon by the end", "Half of the lessons were cancelled without a word"),
    "desk lamp": ("My eyes no longer hurt in the evening", "It flickers so much that I get headaches"),
    "moving company": ("Not one plate was broken and they were early", "They dropped the piano and then denied it"),
    "yoga studio": ("I sleep better since my first class", "The room smelled of paint and was freezing"),
    "garden hose": ("It never kinks, even around corners", "It burst at the tap the first time I used it"),
    "hotel bar": ("The barman remembered our drinks on the second night", "They charged us for drinks we never had"),
    "backpack": ("It fits under every seat and weighs nothing", "Both zips failed halfway through our trip"),
    "bakery": ("People queue around the corner and they are right", "I bit on a piece of plastic in my roll"),
    "printer": ("It found my network by itself and just works", "It jams on every second page"),
    "walking tour": ("Our guide knew a story for every door", "The guide read everything from a phone"),
    "blanket": ("My grandchildren fight over who may have it", "It lost so much fluff that we all sneezed"),
    "bus company": ("They waited for us when our train was late", "The driver left without half of the passengers"),
    "headphones": ("I hear notes that I never knew were there", "The left side went silent after a month"),
    "vet": ("Our dog wags his tail when he sees the door", "They billed us twice and mixed up the files"),
    "cookbook": ("Every single recipe has worked so far", "The oven times are plainly wrong"),
    "museum": ("We meant to stay an hour and stayed all day", "Most rooms were closed and nobody told us"),
    "mattress": ("No more back pain in the mornings", "There was a hole in the middle by spring"),
    "electrician": ("The fault was found in ten minutes", "He left open wires above the sink"),
    "coffee grinder": ("The grind is even and it is easy to clean", "It screams like a saw and clogs at once"),
}  # fmt: skip
OPENINGS = (
    "About the {thing}",
    "Our experience with this {thing}",
    "Well, the {thing}",
    "This {thing}",
    "The {thing}",
    "My new {thing}",
)
GOOD = ("I would choose it again", "Worth every penny", "My sister wants one too", "Five stars from me", "I have told all my friends",
    "More than I had hoped for", "You will not regret it", "It made my week")  # fmt: skip
BAD = ("I want my money back", "Never again", "Stay away", "A waste of an afternoon", "I still wait for an answer to my complaint",
    "One star is too many", "I have warned my friends", "It ruined my week")  # fmt: skip
TURNS = {
    "positive": ("The price made me hesitate, but", "I expected little, yet", "Despite the poor photos in the advert,"),
    "negative": ("It looked lovely online, but", "Everyone had praised it, yet", "Despite the high price,"),
}  # fmt: skip


def cases() -> list[tuple[str, str]]:
    rng, found = random.Random("reviews"), []
    for thing, told in THINGS.items():
        for label, fact, ends in (("positive", told[0], GOOD), ("negative", told[1], BAD)):
            for _ in range(9):
                start, end = rng.choice(OPENINGS).format(thing=thing), rng.choice(ends)
                turn = rng.choice(TURNS[label])
                lowered = fact if fact.startswith("I ") else fact[0].lower() + fact[1:]
                forms = (f"{start}: {lowered}. {end}.", f"{end}. {start}: {lowered}!", f"{start}: {fact}.",
                    f"{turn} {lowered}. (A {thing}.)", f"{start}. {turn} {lowered}. {end}.")  # fmt: skip
                found.append((rng.choice(forms), label))
    return found


A = (("The soup was so good that I asked for the recipe.", "positive"), ("The wheel came off on the first ride.", "negative"),
    ("Kind staff and a spotless room.", "positive"), ("They never answered my letters.", "negative"),
    ("Warm, light and well made.", "positive"), ("The sound is thin and the cable too short.", "negative"))  # fmt: skip
B = (("I waited two hours for nothing.", "negative"), ("It still looks new after five years.", "positive"),
    ("Burnt outside and raw inside.", "negative"), ("The teacher is patient and funny.", "positive"))  # fmt: skip
ASK = "Decide whether the customer is happy (positive) or unhappy (negative)."
CANDIDATES = [
    ("short", "Classify the review. Answer with one word, positive or negative."),
    ("short", "Is this review positive or negative?"),
    ("strict", "Reply with a single lower-case word and nothing after it: positive or negative."),
    ("definitions", "positive: the customer was pleased and would come back.\nnegative: the customer was let down, annoyed or harmed.\nWrite the label of the review."),
    ("template", "Tell if the review is positive or negative.\n\nReview: {input}\nSentiment:"),
    ("template-after", "Review: {input}\nQuestion: Is the review positive or negative?\nAnswer:"),
    ("template-bare", "{input}\nSentiment (positive or negative):"),
    ("examples-2", examples(A[:2], "Review", "Sentiment")),
    ("examples-4", examples(A[:4], "Review", "Sentiment", "Label each review as positive or negative.")),
    ("examples-6", examples(A, "Review", "Sentiment")),
    ("examples-one-label", examples([A[0], A[2], A[4]], "Review", "Sentiment")),
    ("examples-wrong", examples([(text, "negative" if label == "positive" else "positive") for text, label in A[:4]], "Review", "Sentiment", ASK)),
    ("examples-other", examples(B, "Review", "Sentiment", ASK)),
    ("examples-all", examples([*A, *B], "Review", "Sentiment", ASK)),
    ("examples-sorted", examples(sorted([*A, *B], key=lambda pair: pair[1]), "Review", "Sentiment")),
    ("examples-options", examples(B, "Review", "Sentiment", cue="Sentiment (one of positive, negative)")),
    ("arrows", arrows(A)),
    ("arrows-short", "positive or negative?\n\n{input} =>"),
    ("cues", "Words like love, perfect, again and recommend mean positive. Words like broken, late, refund and never mean negative. Write one word."),
    ("bias", "Most reviews are negative. Write positive only when there is no complaint at all.\n\nReview: {input}\nSentiment:"),
    ("persona", "You are a careful analyst in a shop's service team. You read what customers write and note their mood as positive or negative.\n\nCustomer: {input}\nMood:"),
    ("verbose", "A text follows that somebody wrote after a purchase, a meal, a stay or a service. Please consider it as a whole, weigh what is praised against what is criticised, and then state the overall attitude of the writer by means of exactly one of the two words positive and negative, in lower case, without punctuation and without giving reasons."),
    ("steps", "Ask yourself: would the writer buy again? If yes, write positive. If no, write negative.\n\nReview: {input}\nWrite:"),
    ("json-like", "Return the label only.\n\nreview = \"{input}\"\nlabel = \"(positive|negative)\"\n\nlabel:"),
]  # fmt: skip


def task() -> dict[str, Any]:
    parts = split(cases(), "reviews")
    return {
        "name": "reviews", "kind": "label", "labels": ["negative", "positive"],
        "source": "phrases written for this project", "licence": "Apache-2.0",
        "block": "Review: {input}\nAnswer:", "max_tokens": 6, "seed": "What do you think of this review?",
        "candidates": CANDIDATES, "demo_sets": demo_sets(parts["train"], "reviews"),
        "demo_instructions": ["What do you think of this review?"], "cases": parts,
    }  # fmt: skip
