"""JAX objectives with a fidelity: rungs as populations, each fidelity compiled on its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhop

SPACE = {
    "rate": jaxhop.float(0.05, 1.0, log=True),
    "w": jaxhop.float(-1, 1, shape=(2,)),
    "epochs": jaxhop.fidelity(1, 9),
}


def trained(params):
    """Descent of so many steps, as a Python loop: the number must be known to it."""
    x = params["w"]
    for _ in range(params["epochs"]):
        x = x - params["rate"] * (x - jnp.array([0.3, -0.6]))
    return jnp.sum((x - jnp.array([0.3, -0.6])) ** 2) + 0.01 * params["rate"]


@pytest.fixture(scope="module")
def result():
    return jaxhop.search(trained, SPACE, evaluations=150, seed=1)


def test_the_best_one_has_the_whole_fidelity(result):
    assert result.best["epochs"] == 9 and isinstance(result.best["epochs"], int)
    assert float(trained(jax.tree.map(jnp.asarray, result.best) | {"epochs": 9})) == (
        pytest.approx(result.best_value, rel=1e-4)
    )
    assert result.best_value < 0.01
    assert result.evaluations == 150


def test_most_candidates_are_evaluated_a_little_only(result):
    epochs = np.array([result.history.params(row)["epochs"] for row in range(150)])
    assert set(epochs) == {1, 3, 9}
    assert np.mean(epochs == 1) > 0.5 > np.mean(epochs == 9) > 0
    np.testing.assert_array_equal(result.history["status"] == "completed", epochs == 9)


def test_a_random_objective_meets_fresh_luck_in_each_call():
    def noisy(params, key):
        return trained(params) + 0.1 * jax.random.normal(key)

    result = jaxhop.search(noisy, SPACE, evaluations=40, average=4, direction="min")
    values = result.history["value"]
    assert len(np.unique(values)) > 30 and result.best["epochs"] == 9


def test_devices_are_refused():
    with pytest.raises(ValueError, match=r"`devices=.*rung by rung on the first device"):
        jaxhop.search(trained, SPACE, evaluations=10, devices=jax.devices()[:1])
