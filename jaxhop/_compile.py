"""From a problem to a compiled program: the chunk is chosen, and everything is placed."""

import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding

from jaxhop import _noise
from jaxhop._carry import Carry, Controls, Records
from jaxhop._codegen import compiled
from jaxhop._loop import Program
from jaxhop._memory import give_back
from jaxhop._objective import Objective
from jaxhop._rounds import Rounds
from jaxhop.algorithms import Algorithm
from jaxhop.evaluators import chunk_for, population_mesh
from jaxhop.space import Space


def compile_rounds(
    algorithm: Algorithm,
    objective: Objective,
    space: Space,
    *,
    first: list[Any],
    population: int,
    seed: int,
    devices: Sequence[Any],
    max_memory: int | None,
    known: Sequence[float] = (),
) -> tuple[Program, float]:
    """Compiles the rounds for a problem and a set of devices.

    Args:
        algorithm: what asks and tells.
        objective: what evaluates.
        space: where points come from.
        first: the points to evaluate first; emptied, for wide ones are worth freeing.
        population: candidates a round.
        seed: of the run's key.
        devices: where to evaluate; of several hosts, all of them.
        max_memory: bound on what the program holds at once on a device, in bytes, or None.
        known: values of the first points, to be minimised, if these are not to be evaluated.

    Returns:
        The program, and the seconds that compilation took.

    Raises:
        ValueError: if the program does not fit in `max_memory`.
    """
    begin = time.perf_counter()
    mesh = population_mesh(devices)
    platform = devices[0].platform
    place = (
        SingleDeviceSharding(devices[0]) if mesh is None else NamedSharding(mesh, PartitionSpec())
    )
    several = len({device.process_index for device in devices}) > 1
    key = _noise.seeded(seed)
    constants = [_placed(constant, place, several) for constant in objective.constants]
    given = 0 if known else len(first)
    points = jax.tree.map(lambda *leaves: np.stack([np.asarray(x) for x in leaves]), *first)
    first.clear()

    # A round is evaluated in whole chunks.
    short = algorithm.usual is not None and platform == "cpu"
    widest = -(-algorithm.usual // 2) if algorithm.usual and short else population

    def chunk_if(each: int) -> int:
        return chunk_for(each, objective.cost.operations, widest, platform, max_memory)

    # Nothing to choose where a program that never frees anything would fit the population, nor on
    # a CPU where a bare point does not fit. Elsewhere low-rank candidates are less than a point.
    each = objective.cost.bytes + 4 * space.nbytes
    chunk, bare = chunk_if(each), chunk_if(space.nbytes)
    if chunk < widest and (platform != "cpu" or chunk < bare):
        each = _measured_bytes(algorithm, objective, space, key, points, platform)
        chunk = chunk_if(each)
    points = jax.tree.map(lambda leaf: _placed(leaf, place, several), points)
    while True:
        rounds = Rounds(algorithm, objective, space, population, chunk, mesh)
        start = jax.jit(rounds.start, out_shardings=place)
        carry = compiled(start.lower(key, points), platform)(key, points)
        if known:
            values = np.asarray(known, np.float32)
            told = jax.jit(rounds.told, donate_argnums=0, out_shardings=place)
            carry = compiled(told.lower(carry, values), platform)(carry, values)
        if max_memory is None:  # nothing is chosen a second time
            del points
        run = jax.jit(rounds.run, donate_argnums=1, out_shardings=place)
        loaded = compiled(run.lower(constants, carry, _controls()), platform)
        needed = _needed(loaded)
        if max_memory is None or needed <= max_memory or chunk == 1:
            break
        # What does not depend on the chunk must fit in any case.
        fits = (max_memory - needed) // max(each, 1) + chunk
        chunk = 1 if fits < 1 else min(chunk // 2, 2 ** (fits.bit_length() - 1))
    if max_memory is not None and needed > max_memory:
        raise ValueError(
            f"`max_memory={max_memory}`: the search needs {needed:,} bytes on each device even"
            " when it evaluates one candidate at a time. Allow for more, or search fewer numbers."
        )

    give_back()

    def advance(carry: Carry, controls: Controls) -> tuple[Carry, Records]:
        return loaded(constants, carry, controls)

    program = Program(
        rounds, advance, carry, given, several, lambda leaf: _placed(leaf, place, several)
    )
    return program, time.perf_counter() - begin


def _placed(constant: Any, place: Sharding, several: bool) -> jax.Array:
    """An array on all devices. Between hosts it does not travel: each has its own copy of it."""
    if several:
        return jax.make_array_from_process_local_data(place, np.asarray(constant))
    return jax.device_put(constant, place)


def _controls() -> Controls:
    zero, real = np.int32(0), np.float32(0)
    return Controls(zero, zero, real, real, real, zero, np.bool_(False))


def _needed(program: Any) -> int:
    """Bytes that a compiled program holds at once on a device."""
    sizes = program.memory_analysis()
    if sizes is None:  # some backends do not say
        return 0
    return (
        sizes.temp_size_in_bytes
        + sizes.argument_size_in_bytes
        + sizes.output_size_in_bytes
        - sizes.alias_size_in_bytes
    )


def _measured_bytes(
    algorithm: Algorithm,
    objective: Objective,
    space: Space,
    key: Any,
    points: Any,
    platform: str,
) -> int:
    """What making and evaluating one candidate needs, as the compiler says."""
    state = jax.eval_shape(algorithm.init, key, points)

    def one(constants: Any, state: Any, key: jax.Array, progress: Any, index: Any) -> Any:
        point = algorithm.ask(key, index, state, progress)
        return objective.value(constants, point, _noise.fold_in(key, 0))

    shapes = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype), objective.constants
    )
    progress = jax.ShapeDtypeStruct((), jnp.float32)

    def held(width: int) -> int:
        some = jax.jit(jax.vmap(one, (None, None, None, None, 0)))
        index = jax.ShapeDtypeStruct((width,), jnp.int32)
        lowered = some.lower(shapes, state, key, progress, index)
        sizes = compiled(lowered, platform).memory_analysis()
        return 0 if sizes is None else sizes.temp_size_in_bytes

    alone = held(1)
    if objective.expanded and platform != "cpu":
        # Candidates share the matrices: only what comes with one more of them counts.
        return max(1, (held(5) - alone) // 4)
    return max(space.nbytes, alone)
