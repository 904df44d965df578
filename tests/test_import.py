"""What `import jaxhop` costs, and what the package ships."""

import importlib.resources
import subprocess
import sys

HEAVY = ("optax", "orbax", "chex", "matplotlib", "pandas", "scipy.stats", "sklearn", "tqdm")
HEAVY += ("optuna", "ConfigSpace", "plotly")  # what only exchanges with others
HEAVY += ("rich", "starlette", "uvicorn")  # what only looks at searches
HEAVY += ("tensorboardX", "mlflow", "wandb", "aim")  # what only keeps track of them

SCRIPT = """
import sys, time
import jax
before = set(sys.modules)
started = time.process_time()
import jaxhop
print(time.process_time() - started)
print(*(set(sys.modules) - before))
"""


def test_importing_is_light():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=120
    )
    seconds, modules = done.stdout.splitlines()
    assert float(seconds) < 0.5  # 0.1 on a quiet machine
    roots = {name for heavy in HEAVY for name in modules.split() if name.startswith(heavy)}
    assert not roots


def test_types_are_shipped():
    assert importlib.resources.files("jaxhop").joinpath("py.typed").is_file()
