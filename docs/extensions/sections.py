"""Lets griffe read the sections of docstrings as they are meant here.

An `Example:` is code, where griffe knows `Examples:` alone. `Returns:` is a sentence that may have
a colon in it, where griffe takes what is before the colon for a type.
"""

import re
from typing import Any

import griffe


class Sections(griffe.Extension):
    """Writes the sections in griffe's way."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each object when it is read.

        Args:
            obj: the object.
        """
        if obj.docstring is not None:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            # With no type before the colon, it is that of the signature.
            obj.docstring.value = re.sub(
                r"^(Returns|Yields):\n( +)", r"\1:\n\2: ", text, flags=re.MULTILINE
            )
