"""jaxhop and its rivals on a hyperparameter task, each with the space in its own form."""

import math
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import Any

import numpy as np

from benchmarks.extras import require
from benchmarks.hpo_tasks import Branch, Category, Ordered, Real, Whole

Space = Mapping[str, Any]
Objective = Callable[[Mapping[str, Any]], float]


@dataclass(frozen=True)
class Rival:
    """A tool, and how to run it.

    Attributes:
        run: `run(space, objective, evaluations, seed)` calls the objective that often.
        package: name of the distribution on PyPI.
        ahead: whether it wants to know the number of evaluations beforehand. If not, a long run
            begins with the short one.
    """

    run: Callable[[Space, Objective, int, int], Any]
    package: str
    ahead: bool = False


def run_jaxhop(space: Space, objective: Objective, evaluations: int, seed: int) -> None:
    """`jaxhop.search` at its defaults; options with parameters are sub-spaces."""
    jaxhop = require("jaxhop")

    def form(parameters: Space) -> dict[str, Any]:
        return {name: one(name, own) for name, own in parameters.items()}

    def one(name: str, own: Any) -> Any:
        if isinstance(own, Real):
            return jaxhop.float(own.low, own.high, log=own.log)
        if isinstance(own, Whole):
            return jaxhop.int(own.low, own.high, log=own.log)
        if isinstance(own, Branch):
            return jaxhop.choice([{name: key, **form(part)} for key, part in own.options.items()])
        return jaxhop.choice(list(own.values), ordinal=isinstance(own, Ordered))

    def value(candidate: dict[str, Any]) -> float:
        found = {}
        for name, own in candidate.items():
            if isinstance(space[name], Branch):
                found[name] = own[name]
                found |= {f"{own[name]}.{key}": part for key, part in own.items() if key != name}
            else:
                found[name] = own
        return objective(found)

    jaxhop.search(
        value, form(space), evaluations=evaluations, seed=seed, backend="python", progress=False
    )


def run_pyhopper(space: Space, objective: Objective, evaluations: int, seed: int) -> None:
    """PyHopper at its defaults; without conditions, so the parameters of all options are searched.

    It cannot be seeded. A step that draws a duplicate is spent without an evaluation.
    """
    del seed
    pyhopper = require("pyhopper")

    def one(own: Any) -> Any:
        if isinstance(own, Real):
            return pyhopper.float(own.low, own.high, log=own.log)
        if isinstance(own, Whole):
            return pyhopper.int(own.low, own.high)
        if isinstance(own, Branch):
            return pyhopper.choice(list(own.options))
        return pyhopper.choice(list(own.values), is_ordinal=isinstance(own, Ordered))

    flat = {name: one(own) for name, own in _side_by_side(space).items()}
    with redirect_stdout(StringIO()):
        pyhopper.Search(flat).run(
            lambda candidate: objective(_active(space, candidate)),
            direction="min",
            steps=evaluations,
            quiet=True,
        )


def run_optuna(
    space: Space,
    objective: Objective,
    evaluations: int,
    seed: int,
    *,
    sampler: str,
    **settings: Any,
) -> None:
    """A sampler of Optuna; values with an order are given by their positions."""
    optuna = require("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if sampler == "GPSampler":
        require("torch").set_num_threads(1)

    def suggested(trial: Any, parameters: Space, prefix: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, own in parameters.items():
            name = prefix + key
            if isinstance(own, Real):
                found[name] = trial.suggest_float(name, own.low, own.high, log=own.log)
            elif isinstance(own, Whole):
                found[name] = trial.suggest_int(name, own.low, own.high, log=own.log)
            elif isinstance(own, Branch):
                option = trial.suggest_categorical(name, list(own.options))
                found[name] = option
                found |= suggested(trial, own.options[option], f"{option}.")
            elif isinstance(own, Ordered):
                found[name] = own.values[trial.suggest_int(name, 0, len(own.values) - 1)]
            else:
                found[name] = trial.suggest_categorical(name, list(own.values))
        return found

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of experimental settings
        made = getattr(optuna.samplers, sampler)(seed=seed, **settings)
        study = optuna.create_study(sampler=made)
        study.optimize(lambda trial: objective(suggested(trial, space)), n_trials=evaluations)


def run_hyperopt(space: Space, objective: Objective, evaluations: int, seed: int) -> None:
    """TPE of hyperopt."""
    hyperopt = require("hyperopt")
    hp = hyperopt.hp

    def form(parameters: Space, prefix: str = "") -> dict[str, Any]:
        return {prefix + key: one(prefix + key, own) for key, own in parameters.items()}

    def one(name: str, own: Any) -> Any:
        if isinstance(own, Real):
            if own.log:
                return hp.loguniform(name, math.log(own.low), math.log(own.high))
            return hp.uniform(name, own.low, own.high)
        if isinstance(own, Whole):
            if own.log:
                low, high = math.log(own.low - 0.5), math.log(own.high + 0.5)
                return hp.qloguniform(name, low, high, 1)
            return hp.uniformint(name, own.low, own.high)
        if isinstance(own, Branch):
            parts = own.options.items()
            return hp.choice(name, [{name: key, **form(part, f"{key}.")} for key, part in parts])
        if isinstance(own, Ordered):
            return hp.uniformint(name, 0, len(own.values) - 1)
        return hp.choice(name, list(own.values))

    every = _side_by_side(space)

    def value(candidate: dict[str, Any]) -> float:
        return objective({name: _whole(every[name], own) for name, own in _flat(candidate)})

    hyperopt.fmin(
        value,
        form(space),
        algo=hyperopt.tpe.suggest,
        max_evals=evaluations,
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
        verbose=False,
    )


def run_nevergrad(space: Space, objective: Objective, evaluations: int, seed: int) -> None:
    """DiscreteOnePlusOne of nevergrad."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations in what it imports
        nevergrad = require("nevergrad")
    p = nevergrad.p

    def form(parameters: Space, prefix: str = "") -> dict[str, Any]:
        return {prefix + key: one(prefix + key, own) for key, own in parameters.items()}

    def one(name: str, own: Any) -> Any:
        if isinstance(own, Real | Whole):
            kind = p.Log if own.log else p.Scalar
            number = kind(lower=own.low, upper=own.high)
            return number.set_integer_casting() if isinstance(own, Whole) else number
        if isinstance(own, Branch):
            options = own.options.items()
            return p.Choice(
                [p.Dict(**{name: key}, **form(part, f"{key}.")) for key, part in options]
            )
        return (p.TransitionChoice if isinstance(own, Ordered) else p.Choice)(list(own.values))

    parameters = p.Dict(**form(space))
    parameters.random_state.seed(seed)
    optimizer = nevergrad.optimizers.DiscreteOnePlusOne(parameters, budget=evaluations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(evaluations):
            candidate = optimizer.ask()
            optimizer.tell(candidate, objective(dict(_flat(candidate.value))))


def run_random(space: Space, objective: Objective, evaluations: int, seed: int) -> None:
    """Independent candidates, uniform on each parameter's own scale."""
    rng = np.random.default_rng(seed)

    def drawn(own: Any) -> Any:
        if isinstance(own, Branch):
            return list(own.options)[rng.integers(len(own.options))]
        if isinstance(own, Ordered | Category):
            return own.values[rng.integers(len(own.values))]
        half = 0.5 if isinstance(own, Whole) else 0.0
        low, high = own.low - half, own.high + half
        if own.log:
            number = math.exp(rng.uniform(math.log(low), math.log(high)))
        else:
            number = rng.uniform(low, high)
        return _whole(own, number)

    for _ in range(evaluations):
        whole = {name: drawn(own) for name, own in _side_by_side(space).items()}
        objective(_active(space, whole))


def _side_by_side(space: Space, prefix: str = "") -> dict[str, Any]:
    """All parameters of a space, those of options beside the others."""
    found: dict[str, Any] = {}
    for key, own in space.items():
        found[prefix + key] = own
        if isinstance(own, Branch):
            for option, part in own.options.items():
                found |= _side_by_side(part, f"{option}.")
    return found


def _active(space: Space, candidate: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """What of a candidate counts."""
    found: dict[str, Any] = {}
    for key, own in space.items():
        found[prefix + key] = value = candidate[prefix + key]
        if isinstance(own, Branch):
            found |= _active(own.options[value], candidate, f"{value}.")
    return found


def _flat(candidate: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """A candidate's parameters, those of options beside the others."""
    found: list[tuple[str, Any]] = []
    for key, value in candidate.items():
        found += _flat(value) if isinstance(value, Mapping) else [(key, value)]
    return found


def _whole(own: Any, value: Any) -> Any:
    """A number as the objective wants it, from what a tool made of it."""
    if isinstance(own, Whole):
        return int(min(max(round(value), own.low), own.high))
    return own.values[int(value)] if isinstance(own, Ordered) else value


RIVALS: Mapping[str, Rival] = {
    "jaxhop": Rival(run_jaxhop, "jaxhop", ahead=True),
    "pyhopper": Rival(run_pyhopper, "pyhopper", ahead=True),
    "optuna TPE": Rival(partial(run_optuna, sampler="TPESampler"), "optuna"),
    "optuna TPE univariate": Rival(
        partial(run_optuna, sampler="TPESampler", multivariate=False), "optuna"
    ),
    "optuna GP": Rival(partial(run_optuna, sampler="GPSampler"), "optuna"),
    "hyperopt TPE": Rival(run_hyperopt, "hyperopt"),
    "nevergrad 1+1": Rival(run_nevergrad, "nevergrad", ahead=True),
    "random": Rival(run_random, "numpy"),
}
"""What can be run, by name. A new rival is one function and one line here."""
