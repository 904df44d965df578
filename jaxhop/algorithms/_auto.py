"""The recipe behind `algorithm="auto"`."""

from jaxhop.algorithms._annealed_mcmc import annealed_mcmc
from jaxhop.algorithms._base import Recipe


def auto() -> Recipe:
    """The algorithm that jaxhop uses when none is named: `annealed_mcmc` with its defaults.

    Returns:
        A recipe; see `jaxhop.algorithms.Recipe`.

    Example:
        >>> recipe = auto()
    """
    return annealed_mcmc()


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
