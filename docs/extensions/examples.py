"""Shows an `Example:` of a docstring as code; griffe knows `Examples:` alone."""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Gives the section the title that griffe knows."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each object when it is read.

        Args:
            obj: the object.
        """
        if obj.docstring is not None:
            text = obj.docstring.value
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE)
