"""The recipe behind `algorithm="auto"`."""

from collections.abc import Callable, Mapping
from typing import Any

from jaxhop.algorithms._annealed_mcmc import annealed_mcmc
from jaxhop.algorithms._base import Algorithm, Recipe
from jaxhop.algorithms._covariance_adaptation import covariance_adaptation
from jaxhop.algorithms._draws import draws_for
from jaxhop.algorithms._search_gradient import search_gradient
from jaxhop.algorithms._simulated_annealing import simulated_annealing
from jaxhop.space import Float, Index, Permutation, Space, is_numeric

FACTORIES: Mapping[str, Callable[[], Recipe]] = {
    "annealed_mcmc": annealed_mcmc,
    "covariance_adaptation": covariance_adaptation,
    "search_gradient": search_gradient,
    "simulated_annealing": simulated_annealing,
}
"""What `name_for` chooses from."""

_MANY_BOUNDED = 16_384
_MANY_UNBOUNDED = 65536
# Below so many evaluations, in all or for each coordinate, few moves at a time are ahead of a
# distribution. Measured on shifted functions of 10 to 10,000 numbers.
_FEW, _VISITS = 500, 5
_NOISY = 32  # numbers from which a distribution was ahead where values are random
_ROOM = 8  # how many times the least number of draws a round may have, after three restarts


def auto(evaluations: int | None = None) -> Recipe:
    """The algorithm that jaxhop uses when none is named; see `name_for`.

    Args:
        evaluations: the budget's. Default None: many.

    Returns:
        A recipe; see `jaxhop.algorithms.Recipe`.

    Example:
        >>> recipe = auto()
    """

    def recipe(space: Any, population: int, *, noisy: bool = False) -> Algorithm:
        space = Space(space)
        made = FACTORIES[name_for(space, population, evaluations, noisy)]
        return made()(space, population, noisy=noisy)

    return recipe


def name_for(
    space: Space, population: int | None, evaluations: int | None = None, noisy: bool = False
) -> str:
    """Which algorithm suits a problem.

    - Many thousand floats, more than half of the space: `search_gradient`, from 16,384 between
      bounds or 65,536 without.
    - Up to 16,384 numbers, at least half of the space beside options; 500 evaluations and 5 for
      each coordinate: `covariance_adaptation`. If values are random, from 32 numbers on.
    - Permutations alone: `simulated_annealing`.
    - All else, and conditional spaces: `annealed_mcmc`, which changes a few coordinates at a time
      and leaves alone what does not count.

    The evidence is in `benchmarks/RESULTS.md`.

    Args:
        space: the space.
        population: candidates a round, None for the default; the first two need 16 and 4.
        evaluations: the budget's, or None if only time is limited: then many are expected.
        noisy: whether two evaluations of one candidate can differ.

    Returns:
        The name of a factory in `jaxhop.algorithms`.

    Example:
        >>> import jaxhop
        >>> name_for(Space(jaxhop.float(-1, 1, shape=(20_000,))), population=64)
        'search_gradient'
        >>> name_for(Space({"x": jaxhop.float(-1, 1), "n": jaxhop.int(1, 9)}), None, 2000)
        'covariance_adaptation'
    """
    if space.conditional:
        return "annealed_mcmc"
    floats = [column.parameter for column in space.columns if isinstance(column.parameter, Float)]
    bounded = sum(leaf.size for leaf in floats if leaf.bounded)
    unbounded = sum(leaf.size for leaf in floats if not leaf.bounded)
    many = bounded / _MANY_BOUNDED + unbounded / _MANY_UNBOUNDED >= 1
    if many and 2 * (bounded + unbounded) > space.size and (population or 16) >= 16:
        return "search_gradient"
    plain = all(is_numeric(c) or isinstance(c.parameter, Index) for c in space.columns)
    numbers = sum(column.parameter.size for column in space.columns if is_numeric(column))
    if all(isinstance(c.parameter, Permutation) for c in space.columns) and not noisy:
        return "simulated_annealing"
    few = _NOISY * noisy <= numbers <= _MANY_BOUNDED
    enough = few and (evaluations is None or evaluations >= max(_FEW, _VISITS * space.size))
    if plain and 2 * numbers >= space.size and enough and (population or 4) >= 4:
        return "covariance_adaptation"
    return "annealed_mcmc"


def population_for(name: str, space: Space, evaluations: int | None, platform: str) -> int:
    """Candidates a round, where the user names no number.

    A search needs some hundreds of rounds to adapt; more candidates a round than the devices
    need to be busy are wasted.

    Args:
        name: of the algorithm.
        space: the space.
        evaluations: the budget's evaluations, or None if only time is limited.
        platform: `"cpu"`, `"gpu"` or `"tpu"`.

    Returns:
        A whole number: for covariance adaptation the most candidates that a round can have.

    Example:
        >>> import jaxhop
        >>> space = Space(jaxhop.float(-1, 1, shape=(100,)))
        >>> population_for("annealed_mcmc", space, 20_000, "cpu")
        64
        >>> population_for("covariance_adaptation", space, 20_000, "cpu")
        136
    """
    if evaluations is None and platform != "cpu":
        return 1024
    if name == "covariance_adaptation":
        return _ROOM * draws_for(space.size)
    if evaluations is None:
        return 64
    return 2 ** (min(max(evaluations // 300, 4), 256).bit_length() - 1)
