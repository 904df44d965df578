"""Random search: every candidate from anywhere, the best one kept."""

from jaxhop.algorithms._annealed_mcmc import annealed_mcmc
from jaxhop.algorithms._base import Recipe

_FINALISTS = 16


def random_search() -> Recipe:
    """Candidates from anywhere: single numbers from a low-discrepancy sequence, arrays at random.

    The baseline that every other algorithm has to beat. It is the exploring phase of
    `annealed_mcmc` and nothing else; of a noisy objective, the best 16 are confirmed.

    Returns:
        A recipe; see `jaxhop.algorithms.Recipe`.

    Example:
        >>> import jaxhop
        >>> result = jaxhop.search(
        ...     lambda p: (p["x"] - 2) ** 2, {"x": jaxhop.float(-5, 5)}, evaluations=256,
        ...     algorithm=jaxhop.algorithms.random_search(), progress=False,
        ... )
        >>> bool(abs(result.best["x"] - 2) < 0.05)
        True
    """
    return annealed_mcmc(chains=_FINALISTS, explore=1.0)
