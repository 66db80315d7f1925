"""The race: which contender sees which cases next, and who leaves. Pure: nothing here calls anything."""
