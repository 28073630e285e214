"""A training in processes of its own, for tests that kill it or run it under torchrun.

python training_process.py resume FOLDER EPOCHS [KILL_AT_STEP]    trains; kills itself at that step
python training_process.py resume FOLDER EPOCHS replace NUMBER    ... or when a file would appear for the NUMBERth time
torchrun training_process.py equal FOLDER                         each process trains its uneven part of every batch
python training_process.py prepare PREPARED                       writes a corpus of sound and pixels
python training_process.py cell PREPARED RUN                      trains a cell on it
python training_process.py serve                                  reads such words (a JSON list a line), does each in a
                                                                  forked child, or in two where the first word is
                                                                  `two`, and answers with the exit status
"""

import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "runs"))
import conftest
from mien.common import processes
from mien.data.length import Length
from mien.data.masking import Masking
from mien.engine import checkpoint
from mien.engine import fit as training_loop
from mien.engine.fit import Training, fit
from mien.engine.minimise import Optimisation, Optimiser, Schedule
from mien.models.objectives.removals import REMOVALS

OPTIMISER = Optimiser(lr={"default": 0.01}, schedule=Schedule(name="polynomial", power=0.9), clip=1.0)
SETTINGS = {  # an epoch has 4 steps: adversaries begin anew within epochs, at their borders, and across a kill
    "embeddings": {
        "emotion": {
            "dim": 4,
            "tasks": {"emotion": 0.5},
            "remove": {"speaker": {"how": "max_entropy", "warmup": 0.3, "adversaries": 2, "restart": 2}},
        },
        "speaker": {"dim": 3, "tasks": {"speaker": 0.5}, "remove": {"emotion": {"how": "gradient_reversal"}}},
    }
}
ADVERSARIES = {  # all in one recipe: an embedding each, and what stands between two
    "embeddings": {
        **{
            how: {
                "dim": 4,
                "tasks": {"emotion": 0.5},
                "remove": {"speaker": {"how": how, "adversaries": 2, "restart": 7}},
            }
            for how in REMOVALS
        },
        "auxiliary": {"dim": 3, "activation": "relu", "tasks": {"speaker": 0.2}, "auxiliary": ["emotion"]},
        "rating": {"dim": 2, "tasks": {"arousal": 0.2}, "auxiliary": ["valence"]},
    },
    "penalties": {
        "hsic": {"between": ["none", "auxiliary"], "weight": 0.5},
        "orthogonality": {"between": ["confusion", "none"], "weight": 0.5},
    },
}
CELL = {  # plain descent: where a true gradient is zero, Adam would make a step of its rounding
    "encoder": {
        "audio": {"name": "vgg", "channels": [4, 6], "dimension": 6},
        "video": {"name": "vgg", "channels": [4]},
    },
    "training": {"epochs": 1, "batch": 9},
    "optimiser": {"name": "sgd", "lr": {"default": 0.1}},
}
LONGEST = 120  # seconds after which a process is hung, and killed
make_examples = conftest.make_examples.__wrapped__()
make_loader = conftest.make_loader.__wrapped__(make_examples)
make_recipe = conftest.make_recipe.__wrapped__()


def resume(folder: Path, epochs: int, kill_at: int | None, dtype: torch.dtype = torch.float32) -> None:
    """Train on random parts with masks; scores rise and fall, so that the best epoch is neither first nor last."""
    training_loop.AT_RISK = 0.0  # every epoch leaves a state, at which the next one can be killed
    recipe = make_recipe(SETTINGS, dtype=dtype)
    loader = make_loader(
        length=Length(seconds=0.25, long="random", short="pad"),
        masking=Masking(count=1, seconds=0.05, bands=2),
        rank=processes.rank(),
        processes=processes.count(),
    )
    step, steps = recipe.step, 0

    def counted(batch, minimise):
        nonlocal steps
        if steps == kill_at and processes.rank() == processes.count() - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1
        return step(batch, minimise)

    recipe.step = counted

    state = folder / "state.pt"
    scores = iter([0.2, 0.5, 0.4, 0.5, 0.3][checkpoint.load_state(state)["epoch"] if state.exists() else 0 :])

    def validate():
        return {"uar": next(scores), "wa": 0.0, "cross_entropy": 1.0}

    fit(recipe, loader, validate, training=Training(epochs=epochs), optimiser=OPTIMISER, folder=folder)
    if processes.rank() == 0:
        checkpoint.save_weights(folder / "weights.safetensors", recipe.state_dict())


def kill_at_replace(number: int) -> None:
    """Kill this process when a finished temporary file would take its name for the `number`th time."""
    real, done = Path.replace, 0

    def replace(path: Path, target: Path) -> Path:
        nonlocal done
        done += 1
        if done == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(path, target)

    Path.replace = replace


def equal(folder: Path) -> None:
    """Train against every adversary in float64 for 15 steps, and take the gradients of one step in float32.

    That is five epochs, within which both adversaries of a pair begin anew.
    """
    rank, count = processes.rank(), processes.count()
    for dtype, steps in ((torch.float64, 15), (torch.float32, 1)):
        recipe = make_recipe(ADVERSARIES, dtype=dtype)
        settings = Optimiser(name="sgd", lr={"default": 1.0}) if steps == 1 else Optimiser(lr={"default": 0.01})
        minimise = Optimisation(recipe, settings)
        loader = make_loader(make_examples(23), batch_size=11)  # of 11, 11 and 1: the last leaves a process empty
        done = 0
        while done < steps:
            for batch in loader.epoch(done):
                # about 70/30; labels are known for the first clips only, so for one process more than for the other
                batch.labels["emotion"][4:] = -1
                rows = torch.arange(batch.size)
                first = -(-7 * batch.size // 10)
                part = rows if count == 1 else rows[:first] if rank == 0 else rows[first:]
                recipe.step(batch.part(part).to(torch.device("cpu"), dtype), minimise)
                done += 1
                if done >= steps:
                    break
        if rank == 0:
            name = "weights" if steps > 1 else "gradients"
            checkpoint.save_weights(folder / f"{name}.safetensors", recipe.state_dict())


def cell(prepared: Path, folder: Path) -> None:
    """Train a cell on sound and pictures; each process trains its part, and the first infers alone."""
    import test_cell

    test_cell.trained(test_cell.experiment(prepared, **CELL), folder)


def main(words: list[str]) -> None:
    """Do what the words of a command line ask for."""
    with processes.together(torch.device("cpu")):
        if words[0] == "equal":
            equal(Path(words[1]))
        elif words[0] == "prepare":
            import test_cell

            test_cell.write_prepared(Path(words[1]))
        elif words[0] == "cell":
            cell(Path(words[1]), Path(words[2]))
        else:
            double = torch.float64 if "double" in words else torch.float32
            numbers = [int(word) for word in words[2:] if word.isdecimal()]
            at = numbers[1] if len(numbers) > 1 else None
            if "replace" in words:
                kill_at_replace(at)
                at = None
            resume(Path(words[1]), numbers[0], at, double)


def serve() -> None:
    """Answer every line of standard input by the exit status of a child that did it, a signal as a negative number.

    A child has what is imported here and nothing that another one computed: a new process, without the seconds that
    torch takes to load.
    """
    import test_cell  # noqa: F401 - for children that train a cell
    import torch._dynamo  # noqa: F401 - which the first step of an optimiser would import in every child

    make_recipe(SETTINGS)
    for line in sys.stdin:
        words, ranks = json.loads(line), [{}]
        if words[0] == "two":
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = str(free.getsockname()[1])
            variables = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            words, ranks = words[1:], [{"RANK": str(rank), "LOCAL_RANK": str(rank), **variables} for rank in (0, 1)]
        children = [forked(words, rank) for rank in ranks]
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(next((status for status in statuses if status), 0), flush=True)


def forked(words: list[str], environment: dict[str, str]) -> int:
    """Do it in a child, with these variables as torchrun would set them; its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.alarm(LONGEST)
        os.environ.update(environment)
        main(words)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve() if sys.argv[1] == "serve" else main(sys.argv[1:])
