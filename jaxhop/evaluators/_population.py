"""A function of one candidate, applied to many: in chunks, on every device.

What `jax.pmap` did is `jax.shard_map` on a mesh with one axis since JAX 0.8.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxhop.algorithms import Part, add_up

AXIS = "population"
"""The name of the mesh axis that candidates are spread along."""

_CACHE_BYTES = 2**20  # a CPU is fastest while a chunk stays in a core's own cache
_DEVICE_BYTES = 2**30
# About 50 ms: the host must get a look in between, and work so heavy gains nothing from width.
_CPU_OPERATIONS = 2**26
_DEVICE_OPERATIONS = 2**36


def population_mesh(devices: Sequence[Any]) -> Mesh | None:
    """The mesh over which a population is spread.

    Args:
        devices: the devices.

    Returns:
        A mesh with one axis, or None for a single device, which needs none.

    Example:
        >>> population_mesh(jax.devices()[:1]) is None
        True
    """
    if len(devices) == 1:
        return None
    return Mesh(np.asarray(devices), (AXIS,), axis_types=(AxisType.Auto,))


def chunk_for(
    bytes_each: int, operations: int, population: int, platform: str, max_memory: int | None
) -> int:
    """How many candidates a device evaluates at once.

    A function of the program, the population and `max_memory` only, never of the number of
    devices, the time or what happens to be free: two equal runs are equal.

    Args:
        bytes_each: what one candidate needs, from the compiled memory analysis.
        operations: numbers that evaluating one candidate computes.
        population: candidates a round.
        platform: `"cpu"`, `"gpu"` or `"tpu"`.
        max_memory: bound in bytes, or None.

    Returns:
        A power of two, or the population if that is less.

    Example:
        >>> chunk_for(4_000_000, 10**6, 1024, "cpu", None), chunk_for(400, 100, 4096, "cpu", None)
        (1, 2048)
    """
    on_cpu = platform == "cpu"
    room = _CACHE_BYTES if on_cpu else _DEVICE_BYTES
    time = _CPU_OPERATIONS if on_cpu else _DEVICE_OPERATIONS
    room = min(room, max_memory or room)
    chunk = max(1, min(room // max(bytes_each, 1), time // max(operations, 1)))
    return min(population, 2 ** (chunk.bit_length() - 1))


def over(
    function: Callable[[Any, jax.Array], Any], width: int, mesh: Mesh | None
) -> Callable[[Any, Any], Any]:
    """A function of one position, for `width` consecutive positions on each device.

    Args:
        function: `function(operands, index)` with `index` int32.
        width: positions a device.
        mesh: the devices, or None for one.

    Returns:
        `(operands, first) -> results` stacked for the positions from `first` on, everywhere.

    Example:
        >>> powers = over(lambda base, index: base**index, width=4, mesh=None)
        >>> powers(2, 3)
        Array([ 8, 16, 32, 64], dtype=int32)
    """

    def on_device(operands: Any, index: jax.Array) -> Any:
        if width == 1:  # a matrix product with a batch axis of one is slower than without
            return jax.tree.map(lambda leaf: leaf[None], function(operands, index[0]))
        return jax.vmap(function, (None, 0))(operands, index)

    if mesh is None:
        return lambda operands, first: on_device(operands, first + jnp.arange(width))
    spread = jax.shard_map(
        on_device,
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(AXIS)),
        out_specs=PartitionSpec(AXIS),
        # The check refuses loops in user code whose carry starts as a constant.
        check_vma=False,
    )
    everywhere = NamedSharding(mesh, PartitionSpec())

    def on_all(operands: Any, first: Any) -> Any:
        index = first + jnp.arange(width * mesh.size, dtype=jnp.int32)
        results = spread(operands, index)
        return jax.tree.map(
            lambda leaf: jax.lax.with_sharding_constraint(leaf, everywhere), results
        )

    return on_all


def summed(mesh: Mesh | None) -> Callable[[Sequence[Part], Any], list[Any]]:
    """What adds up terms on every device, and the devices' sums in one all-reduce.

    Args:
        mesh: the devices, or None for one.

    Returns:
        `(parts, operands) -> sums`, the same on all devices.

    Example:
        >>> total = summed(None)
        >>> total([Part(lambda base, turn: base * turn, turns=4)], jnp.int32(10))
        [Array(60, dtype=int32)]
    """
    if mesh is None:
        return add_up

    def everywhere(parts: Sequence[Part], operands: Any) -> list[Any]:
        def own(operands: Any, number: jax.Array) -> list[Any]:
            return jax.lax.psum(add_up(parts, operands, number[0], mesh.size), AXIS)

        spread = jax.shard_map(
            own,
            mesh=mesh,
            in_specs=(PartitionSpec(), PartitionSpec(AXIS)),
            out_specs=PartitionSpec(),
            check_vma=False,
        )
        return spread(operands, jnp.arange(mesh.size, dtype=jnp.int32))

    return everywhere
