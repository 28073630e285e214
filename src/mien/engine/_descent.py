"""The update of parameters by their gradients: Adam, AdamW and SGD by torch's fused functions.

`torch.optim.Optimizer` does the same around the same functions. Making one imports all of `torch._dynamo`, which takes
as long as importing torch, in every process.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

MOMENTS = ("exp_avg", "exp_avg_sq")  # of Adam, under the names of torch's optimisers
VELOCITY = "momentum_buffer"  # of SGD with momentum
BETAS, EPSILON = (0.9, 0.999), 1e-8  # Kingma and Ba 2015, section 2


class Descent:
    """Steps down gradients, as torch's optimisers make them; a parameter's state begins with its first gradient.

    Args:
        parameters: all that may be moved; their order numbers them in `state`.
        name: "adam" (AdamW where `decay` > 0) or "sgd".
        decay: weight decay: of adam decoupled; of sgd added to the gradient.
        momentum: of sgd.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], *, name: Literal["adam", "sgd"], decay: float, momentum: float
    ) -> None:
        self.parameters = list(parameters)
        self.name, self.decay, self.momentum = name, decay, momentum
        self._states: dict[nn.Parameter, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self, parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor], rate: float) -> None:
        """Move some parameters by their gradients, which have the shape of each, any layout, and finite values."""
        moved: list[Tensor] = list(parameters)
        # fused functions walk the memory of a gradient as it lies: an expanded one is read past its end
        slopes = [gradient.contiguous() for gradient in gradients]
        states = [self._state(parameter) for parameter in parameters]
        if self.name == "sgd":
            buffers: list[Tensor | None] = [state.get(VELOCITY) for state in states]
            sgd(
                moved,
                slopes,
                buffers,
                fused=True,
                weight_decay=self.decay,
                momentum=self.momentum,
                lr=rate,
                dampening=0.0,
                nesterov=False,
                maximize=False,
            )
            return
        first, second, steps = ([state[key] for state in states] for key in (*MOMENTS, "step"))
        (adamw if self.decay > 0 else adam)(
            moved,
            slopes,
            first,
            second,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=rate,
            weight_decay=self.decay,
            eps=EPSILON,
            maximize=False,
        )

    def forget(self, parameter: nn.Parameter) -> None:
        """Drop the state of a parameter."""
        self._states.pop(parameter, None)

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint, as that of a torch optimiser: `state`, number of a parameter -> its tensors."""
        numbers = {parameter: number for number, parameter in enumerate(self.parameters)}
        states = {numbers[parameter]: dict(state) for parameter, state in self._states.items() if state}
        return {"state": states}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore the state of a checkpoint, also one that a torch optimiser gave."""
        self._states = {}
        for number, tensors in state["state"].items():
            parameter = self.parameters[number]
            self._states[parameter] = {
                key: value.to(parameter.device, parameter.dtype if key != "step" else value.dtype, copy=True)
                for key, value in tensors.items()
                if value is not None
            }

    def _state(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        state = self._states.get(parameter)
        if state is None:
            state = self._states[parameter] = {name: torch.zeros_like(parameter) for name in self._kept}
            if self.name == "adam":
                state["step"] = torch.zeros((), device=parameter.device)  # float32, also of wider parameters
        return state

    @property
    def _kept(self) -> tuple[str, ...]:
        """The tensors, shaped as a parameter, that begin as zeros: a first momentum of torch is the first gradient."""
        return MOMENTS if self.name == "adam" else (VELOCITY,) if self.momentum > 0 else ()
