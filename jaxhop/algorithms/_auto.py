"""The recipe behind `algorithm="auto"`."""

from typing import Any

from jaxhop.algorithms._annealed_mcmc import annealed_mcmc
from jaxhop.algorithms._base import Algorithm, Recipe
from jaxhop.algorithms._search_gradient import search_gradient
from jaxhop.space import Float, Space

_MANY_BOUNDED = 4096
_MANY_UNBOUNDED = 65536


def auto() -> Recipe:
    """The algorithm that jaxhop uses when none is named; see `name_for`.

    Returns:
        A recipe; see `jaxhop.algorithms.Recipe`.

    Example:
        >>> recipe = auto()
    """

    def recipe(space: Any, population: int, *, noisy: bool = False) -> Algorithm:
        space = Space(space)
        made = {"annealed_mcmc": annealed_mcmc, "search_gradient": search_gradient}
        return made[name_for(space, population)]()(space, population, noisy=noisy)

    return recipe


def name_for(space: Space, population: int) -> str:
    """Which algorithm suits a space.

    `search_gradient` where floats are most of the space and there are many: 4,096 between bounds,
    or 65,536 without. Measured (`benchmarks/RESULTS.md`): on shifted functions of 1,000 bounded
    numbers search gradients win three of five and lose two by half; of 5,000 numbers they win
    three and lose two by a tenth, of 10,000 they win all. Networks of up to 30,000 weights trained
    better by annealed MCMC, of 100,000 and a million weights by search gradients. Conditional
    spaces are for annealed MCMC, which leaves alone what does not count.

    Args:
        space: the space.
        population: candidates a round; search gradients need 16 to have a direction.

    Returns:
        The name of a factory in `jaxhop.algorithms`.

    Example:
        >>> import jaxhop
        >>> name_for(Space(jaxhop.float(-1, 1, shape=(10_000,))), population=64)
        'search_gradient'
    """
    floats = [column.parameter for column in space.columns if isinstance(column.parameter, Float)]
    bounded = sum(leaf.size for leaf in floats if leaf.bounded)
    unbounded = sum(leaf.size for leaf in floats if not leaf.bounded)
    many = bounded / _MANY_BOUNDED + unbounded / _MANY_UNBOUNDED >= 1
    most = 2 * (bounded + unbounded) > space.size
    moves_all = many and most and population >= 16 and not space.conditional
    return "search_gradient" if moves_all else "annealed_mcmc"


def population_for(evaluations: int | None, platform: str) -> int:
    """Candidates a round, where the user names no number.

    A search needs some hundreds of rounds to adapt; more candidates a round than the devices
    need to be busy are wasted.

    Args:
        evaluations: the budget's evaluations, or None if only time is limited.
        platform: `"cpu"`, `"gpu"` or `"tpu"`.

    Returns:
        A power of two.

    Example:
        >>> population_for(20_000, "cpu"), population_for(None, "gpu")
        (64, 1024)
    """
    if evaluations is None:
        return 64 if platform == "cpu" else 1024
    return 2 ** (min(max(evaluations // 300, 4), 256).bit_length() - 1)
