"""What this server says to people, in their language: catalogues, and which language to speak.

A file a language holds every sentence by key. A sentence in the making is a `Message`: a key and
facts, told in a language only when somebody is about to read it. Logs, commands and the MCP
endpoint speak English.
"""

from msil_mcp.locales.catalogue import ENGLISH, LANGUAGES, Language, Message, entries
from msil_mcp.locales.negotiation import language_of, matched, preferred

__all__ = [
    "ENGLISH",
    "LANGUAGES",
    "Language",
    "Message",
    "entries",
    "language_of",
    "matched",
    "preferred",
]
