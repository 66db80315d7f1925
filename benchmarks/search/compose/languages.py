"""Which language is a sentence written in?"""

# ruff: noqa: E501 - phrases and prompts, one a line

from __future__ import annotations

import random
from typing import Any

from search.compose import arrows, examples, split

LABELS = ("dutch", "french", "german", "italian", "spanish")
CLAUSES = {
    "dutch": ("De kinderen spelen in de tuin", "Mijn zus koopt verse groente", "Wij wachten op de bus", "De winkel gaat later open", "Het regent aan de kust",
        "Jan leest een oud boek", "De trein rijdt niet", "Zij bakt een appeltaart", "De hond slaapt onder de tafel", "Ik zoek mijn sleutels", "De buurman maait het gras",
        "Onze leraar is ziek", "Het water is nog koud", "De brief is nooit aangekomen", "Wij drinken koffie op het balkon"),
    "french": ("Les enfants jouent dans le jardin", "Ma soeur achète des légumes frais", "Nous attendons le bus", "Le magasin ouvre plus tard", "Il pleut sur la côte",
        "Jean lit un vieux livre", "Le train ne circule pas", "Elle prépare une tarte aux pommes", "Le chien dort sous la table", "Je cherche mes clés", "Le voisin tond la pelouse",
        "Notre professeur est malade", "L'eau est encore froide", "La lettre n'est jamais arrivée", "Nous buvons un café sur le balcon"),
    "german": ("Die Kinder spielen im Garten", "Meine Schwester kauft frisches Gemüse", "Wir warten auf den Bus", "Der Laden öffnet später", "An der Küste regnet es",
        "Hans liest ein altes Buch", "Der Zug fährt nicht", "Sie backt einen Apfelkuchen", "Der Hund schläft unter dem Tisch", "Ich suche meine Schlüssel", "Der Nachbar mäht den Rasen",
        "Unser Lehrer ist krank", "Das Wasser ist noch kalt", "Der Brief ist nie angekommen", "Wir trinken Kaffee auf dem Balkon"),
    "italian": ("I bambini giocano in giardino", "Mia sorella compra verdura fresca", "Aspettiamo l'autobus", "Il negozio apre più tardi", "Piove sulla costa",
        "Gianni legge un vecchio libro", "Il treno non parte", "Lei prepara una torta di mele", "Il cane dorme sotto il tavolo", "Cerco le mie chiavi", "Il vicino taglia l'erba",
        "Il nostro maestro è malato", "L'acqua è ancora fredda", "La lettera non è mai arrivata", "Beviamo un caffè sul balcone"),
    "spanish": ("Los niños juegan en el jardín", "Mi hermana compra verduras frescas", "Esperamos el autobús", "La tienda abre más tarde", "Llueve en la costa",
        "Juan lee un libro viejo", "El tren no sale", "Ella prepara una tarta de manzana", "El perro duerme debajo de la mesa", "Busco mis llaves", "El vecino corta el césped",
        "Nuestro profesor está enfermo", "El agua sigue fría", "La carta no llegó nunca", "Tomamos un café en el balcón"),
}  # fmt: skip
ENDS = {
    "dutch": ("", ", zegt oma", ", denk ik", ", helaas", ", zoals altijd"),
    "french": ("", ", dit grand-mère", ", je crois", ", hélas", ", comme toujours"),
    "german": ("", ", sagt Oma", ", glaube ich", ", leider", ", wie immer"),
    "italian": ("", ", dice la nonna", ", credo", ", purtroppo", ", come sempre"),
    "spanish": ("", ", dice la abuela", ", creo", ", por desgracia", ", como siempre"),
}  # fmt: skip


def cases() -> list[tuple[str, str]]:
    rng, found = random.Random("languages"), []
    for label, clauses in CLAUSES.items():
        every = [(f"{clause}{end}.", label) for clause in clauses for end in ENDS[label]]
        found += rng.sample(every, 72)
    return found


A = (("Der Mond scheint hell.", "german"), ("Je voudrais une glace.", "french"), ("Dónde está la playa?", "spanish"),
    ("Non ho tempo stasera.", "italian"), ("Het huis is te koop.", "dutch"))  # fmt: skip
B = (("Ik weet het niet meer.", "dutch"), ("La finestra è aperta.", "italian"), ("Wo ist der Bahnhof?", "german"),
    ("Me gusta mucho la música.", "spanish"), ("Il fait beau ce matin.", "french"))  # fmt: skip
LIST = "dutch, french, german, italian, spanish"
ASK = f"Name the language of the sentence: {LIST}."
WRONG = [(text, LABELS[(LABELS.index(label) + 1) % 5]) for text, label in A]
CANDIDATES = [
    ("short", "Which language is this? Answer with one word."),
    ("short", f"Which language is this: {LIST}?"),
    ("strict", f"Give one lower-case word, nothing else: {LIST}."),
    ("definitions", "dutch has words like het and een, french like le and est, german like der and ist, italian like il and che, spanish like el and los. Write the language of the sentence."),
    ("template", f"Detect the language ({LIST}).\n\nSentence: {{input}}\nLanguage:"),
    ("template-after", "Sentence: {input}\nQuestion: In which language is the sentence written?\nAnswer:"),
    ("template-bare", "{input}\n\nThe sentence above is written in"),
    ("template-lower", "text: {input}\nlanguage (lower case):"),
    ("examples-2", examples(A[:2], "Sentence", "Language")),
    ("examples-5", examples(A, "Sentence", "Language")),
    ("examples-5-head", examples(A, "Sentence", "Language", ASK)),
    ("examples-other", examples(B, "Sentence", "Language", ASK)),
    ("examples-10", examples([*A, *B], "Sentence", "Language", ASK)),
    ("examples-one-label", examples([A[1], B[4]], "Sentence", "Language")),
    ("examples-wrong", examples(WRONG, "Sentence", "Language", ASK)),
    ("examples-sorted", examples(sorted([*A, *B], key=lambda pair: pair[1]), "Sentence", "Language")),
    ("examples-options", examples(B, "Sentence", "Language", cue=f"Language (one of {LIST})")),
    ("examples-quoted", examples([(f'"{text}"', label) for text, label in A], "Sentence", "Language")),
    ("arrows", arrows([*A, *B])),
    ("key-words", "el, los, muy -> spanish\nil, che, sono -> italian\nle, est, nous -> french\nder, ist, wir -> german\nhet, een, wij -> dutch\n\n{input} ->"),
    ("bias", "Nearly everything we receive is german. Say another language only if you are sure.\n\nSentence: {input}\nLanguage:"),
    ("persona", f"You are a librarian who puts books on five shelves, called {LIST}. A book begins like this: {{input}}\nPut it on the shelf called"),
    ("verbose", f"In what follows there is one sentence that was taken from a letter. Please work out in which of five European languages it was written, namely {LIST}, and reply with the English name of that language in lower case. Do not translate the sentence, do not comment on it and add no punctuation."),
    ("translate", "Translate the sentence into English, then say which language it was.\n\nSentence: {input}\nLanguage:"),
]  # fmt: skip


def task() -> dict[str, Any]:
    parts = split(cases(), "languages")
    seed = "Look at this sentence."
    return {
        "name": "languages", "kind": "label", "labels": list(LABELS),
        "source": "sentences written for this project", "licence": "Apache-2.0",
        "block": "Sentence: {input}\nAnswer:", "max_tokens": 4, "seed": seed,
        "candidates": CANDIDATES, "demo_sets": [], "demo_instructions": [], "cases": parts,
    }  # fmt: skip
