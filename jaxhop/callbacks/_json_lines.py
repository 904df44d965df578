"""Trials as lines of JSON."""

import json
import math

from jaxhop._shown import dumps
from jaxhop._trials import Start, Trial
from jaxhop.callbacks._trial_file import FIELDS, TrialFile
from jaxhop.callbacks._values import written


class JSONLines(TrialFile):
    """Writes a line of JSON for each trial, as soon as the search reports it.

    Each line is one object: the fields of `jaxhop.Trial` but for the parameters, and
    `params.<name>` for each of these, with names as in `Result.to_pandas()`. NaN and infinity are
    null. Arrays of up to 64 elements are lists; of longer ones there are shape, mean, standard
    deviation, smallest and largest element.

    The file follows the search, so that `tail -f` shows the trials as they end, or a fifth of a
    second later. It is never overwritten: a search that goes on (`dir=`) carries on its file, and
    any other wants a new one. Several processes that share a search want a file each.

    The first 100,000 trials are written, at most 10,000 of one report, then every 2nd, 4th and so
    on, and any trial that was the best so far. Of JAX objectives there are those trials whose
    parameters come to the host: all of small spaces, else those that were the best so far.

    Args:
        path: the file, such as `"trials.jsonl"`.

    Raises:
        TypeError: if it is no path.

    Example:
        >>> import os, tempfile
        >>> import jaxhop
        >>> from jaxhop.callbacks import JSONLines
        >>> path = os.path.join(tempfile.mkdtemp(), "trials.jsonl")
        >>> result = jaxhop.search(
        ...     lambda params: params["x"] ** 2, {"x": jaxhop.int(-5, 5)}, evaluations=3,
        ...     backend="python", callbacks=[JSONLines(path)],
        ... )
        >>> with open(path) as file:
        ...     print(file.readline()[:68])
        {"number": 0, "value": 0.0, "status": "completed", "phase": "initial
    """

    def _begin(self, info: Start) -> str:
        del info
        return ""

    def _line(self, trial: Trial) -> str:
        flat = self._info.space.flat(trial.params)
        line = {name: getattr(trial, name) for name in FIELDS}
        line |= {f"params.{name}": written(value) for name, value in flat.items()}
        return dumps(line) + "\n"

    def _read(self, line: str) -> tuple[int, float]:
        found = json.loads(line)
        if not isinstance(found, dict) or not found.keys() >= set(FIELDS):
            raise ValueError
        best = found["best_value"]
        return int(found["number"]), math.nan if best is None else float(best)
