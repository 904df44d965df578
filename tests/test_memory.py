"""A million coordinates: the memory of a search is that of a few candidates."""

import json

from processes import run

SCRIPT = """
import json, pathlib
import jax, jax.numpy as jnp, numpy as np, jaxhop

D, POPULATION = 1_000_000, 1024

def rss(field):
    status = pathlib.Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1])

def loss(x):
    return jnp.mean((x - 0.3) ** 2)

jnp.zeros(3).block_until_ready()  # JAX is there before the search
pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
before = rss("VmRSS:")
space = jaxhop.float(-1, 1, init=1, shape=(D,))  # worse than points at random
result = jaxhop.search(loss, space, population=POPULATION, runtime=4)
print(json.dumps(dict(
    megabytes=(rss("VmHWM:") - before) * 1024 / 1e6,
    evaluations=result.evaluations,
    values=[result.history["value"][0], result.best_value],
    best=[str(result.best.dtype), len(result.best)],
    value_again=float(loss(result.best)),
    seconds=result.seconds,
)))
"""


def test_a_million_coordinates_take_less_than_150_megabytes():
    result = json.loads(run(SCRIPT))
    assert result["megabytes"] < 150
    assert result["evaluations"] > 100
    assert result["best"] == ["float32", 1_000_000]
    assert result["values"][0] > 0.48 and result["values"][1] < 0.43
    assert abs(result["value_again"] - result["values"][1]) < 1e-5
    assert result["seconds"] < 4 * 1.02 + 1
