"""Which schema this code needs, and where a store notes its own. No import: whoever only asks waits for no toolkit."""

REVISION = "0005"
"""The newest migration: what a store must hold for this code."""

VERSION_TABLE = "sharpen_schema"
"""Where the migrations note the store's revision; a name of our own, for databases that hold other programs too."""
