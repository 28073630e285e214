"""Losses as functions: tensors in, one scalar out.

Every loss returns this process's *share*: the shares of all processes sum to the loss over the global batch, so sums of
their gradients are its gradient. Means divide by the number of known entries in the global batch. Every process must
make the same calls in the same order, also with no clip of its own.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.common import processes

EPSILON = 1e-12  # variance, over 1 + the squared mean, below which a column is constant up to rounding


def mean(values: Tensor, where: Tensor, weight: Tensor | None = None) -> Tensor:
    """This process's share of the (weighted) mean over the entries known anywhere in the global batch.

    Args:
        values: B, any float dtype; entries that are not known may hold anything, also nan.
        where: B bool, which entries are known.
        weight: B, not negative; the mean is then sum(weight * values) / sum(weight).

    Returns:
        A scalar. Where nothing is known on any process it is zero without a graph, so that nothing moves.
    """
    if values.shape != where.shape:
        raise ValueError(f"values of shape {tuple(values.shape)} but where of shape {tuple(where.shape)}")
    weights = None if weight is None else torch.where(where, weight, 0.0)
    count = processes.total(where.sum() if weights is None else weights.sum())
    if count == 0:
        return values.new_zeros(())
    known = torch.where(where, values, 0.0)
    return (known if weights is None else known * weights).sum() / count


def cross_entropy(logits: Tensor, labels: Tensor, class_weight: Tensor | None = None) -> Tensor:
    """Cross-entropy over the clips whose label is known (Li et al. 2020, Eq. 1 and 4).

    Args:
        logits: B x K, any float dtype; computed in float32 or wider.
        labels: B int64, -1 where not known; or B x K float, the probability of each class, nan where not known.
        class_weight: K, the weight of a clip by its class; of a distribution the most probable, the first of equals.

    Returns:
        This process's share, in nats.
    """
    values, known = cross_entropies(logits, labels)
    if class_weight is None:
        return mean(values, known)
    classes = labels.clamp(min=0) if labels.dim() == 1 else labels.nan_to_num().argmax(dim=1)
    return mean(values, known, class_weight.to(values.dtype)[classes])


def cross_entropies(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The cross-entropy of each clip, B in nats, float32 or wider, and B bool: whether its label is known.

    Args:
        logits: B x K, any float dtype.
        labels: as of `cross_entropy`; the values of clips whose label is not known have no meaning.
    """
    logits = _wide(logits)
    if labels.dim() == 2:
        known = ~labels.isnan().any(dim=1)
        targets = torch.where(known[:, None], labels, 0.0).to(logits.dtype)
        return -(targets * F.log_softmax(logits, dim=1)).sum(dim=1), known
    return F.cross_entropy(logits, labels.clamp(min=0), reduction="none"), labels >= 0


def distillation(student: Tensor, teacher: Tensor, where: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy between the softmaxes of a teacher and a student, both at one temperature.

    Hinton et al. 2015, section 2; Albanie et al. 2018, section 3 and Eq. 1.

    Args:
        student: B x K logits, any float dtype; computed in float32 or wider.
        teacher: B x K logits, through which no gradient flows.
        where: B bool, of which clips the teacher says anything.
        temperature: T.

    Returns:
        This process's share, in nats: at least the mean entropy of the teacher's distributions.
    """
    student = _wide(student)
    wanted = (teacher.detach().to(student.dtype) / temperature).softmax(dim=1)
    return mean(-(wanted * F.log_softmax(student / temperature, dim=1)).sum(dim=1), where)


def squared_error(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error over the numbers that are known.

    Args:
        outputs: B x K, any float dtype; computed in float32 or wider.
        labels: B x K float, nan where not known.

    Returns:
        This process's share, in squared units of the labels.
    """
    wide, known = _wide(outputs), ~labels.isnan()
    targets = torch.where(known, labels, 0.0).to(wide.dtype)
    return mean((wide - targets).square().flatten(), known.flatten())


def reconstruction(outputs: Tensor, frames: Tensor, valid: Tensor) -> Tensor:
    """Mean squared error of decoded frames over the valid ones: d of Rana et al. 2019, Eq. 5 (`assumed`).

    Args:
        outputs: B x T x D, any float dtype; computed in float32 or wider.
        frames: B x T x D, what was encoded; of frames that are not valid they may be anything, also nan.
        valid: B x T bool.

    Returns:
        This process's share, in squared units of the frames.
    """
    wide = _wide(outputs)
    frames = torch.where(valid[:, :, None], frames, 0.0).to(wide.dtype)
    return mean((wide - frames).square().mean(dim=2).flatten(), valid.flatten())


def discrimination(real: Tensor, fake: Tensor, where: Tensor) -> Tensor:
    """What a discriminator minimises: the negative of Rana et al. 2019, Eq. 4, which is its cross-entropy.

    The paper prints D(z-hat), the code, in the expectation over the prior; the prior's sample z is meant, as its text
    says and as in Makhzani et al. 2015.

    Args:
        real: B, logits of the prior's samples, any float dtype; computed in float32 or wider.
        fake: B, logits of the codes.
        where: B bool, which clips count.

    Returns:
        This process's share, in nats: 2 log(2) where nothing can be told apart.
    """
    return mean(F.softplus(-_wide(real)), where) + mean(F.softplus(_wide(fake)), where)


def deception(fake: Tensor, where: Tensor, *, saturating: bool = True) -> Tensor:
    """What an encoder minimises to deceive a discriminator.

    Args:
        fake: B, logits of the codes, any float dtype; computed in float32 or wider.
        where: B bool, which clips count.
        saturating: E[log(1 - D)], the first term of Rana et al. 2019, Eq. 5, whose slope vanishes where the
            discriminator is sure; else -E[log D] (Goodfellow et al. 2014, section 3), whose slope does not.

    Returns:
        This process's share, in nats.
    """
    fake = _wide(fake)
    return mean(-F.softplus(fake) if saturating else F.softplus(-fake), where)


def concordance(outputs: Tensor, labels: Tensor) -> Tensor:
    """1 - the concordance correlation coefficient (Lin 1989), the mean over the K numbers of a clip.

    1 - 2 cov / (var + var + (mean - mean)^2) of each number by itself, over the clips of the global batch of which it
    is known, with variances over n: 0 where outputs equal labels, 1 where they have nothing in common, 2 at the most. A
    number that is known of fewer than two clips, or is the same for all of them, is left out.

    Args:
        outputs: B x K, any float dtype; computed in float32 or wider.
        labels: B x K float, nan where not known.

    Returns:
        This process's share, a scalar. Where no number is left it is zero without a graph, so that nothing moves.
    """
    wide, known = _wide(outputs), ~labels.isnan()
    truth = torch.where(known, labels, 0.0).to(wide.dtype)
    values = torch.where(known, wide, 0.0)
    count, *sums = processes.total(torch.stack([known.to(wide.dtype).sum(dim=0), values.sum(dim=0), truth.sum(dim=0)]))
    middle, true_mean = (total / count.clamp(min=1) for total in sums)
    x, y = (torch.where(known, one, 0.0) for one in (wide - middle, truth - true_mean))
    parts = torch.stack([part.sum(dim=0) for part in (x, x * x, x * y, y * y)])
    # `middle` has no gradient: in variances its gradient is zero, and in the mean `off` brings it back
    off, variance, covariance, true_variance = processes.differentiable_total(parts) / count.clamp(min=1)
    differ = (count > 1) & (true_variance > EPSILON * (1 + true_mean.square()))
    if not differ.any():
        return wide.new_zeros(())
    apart = (middle + off - true_mean).square()
    coefficients: Tensor = 2 * covariance / torch.where(differ, variance + true_variance + apart, 1.0)
    return (1 - coefficients[differ]).mean() / processes.count()


def entropy(logits: Tensor) -> Tensor:
    """Mean entropy of the predicted distributions (Li et al. 2020, Eq. 2), over all clips of the global batch.

    Args:
        logits: B x K, any float dtype; computed in float32 or wider.

    Returns:
        This process's share, in nats: between 0 and log(K), the latter where every class is equally likely (Eq. 3).
    """
    log_probabilities = F.log_softmax(_wide(logits), dim=1)
    values = -(log_probabilities.exp() * log_probabilities).sum(dim=1)
    return mean(values, torch.ones_like(values, dtype=torch.bool))


def confusion(logits: Tensor) -> Tensor:
    """Mean cross-entropy between the uniform distribution and the predicted one, over all clips of the global batch.

    Tzeng et al. 2015, Eq. 3; Peri et al. 2021, section 3.2. It is KL(uniform || predicted) + log(K): least, log(K),
    where every class is equally likely, as the entropy is greatest there; but it grows without bound as a class is
    ruled out, where the entropy's slope vanishes.

    Args:
        logits: B x K, any float dtype; computed in float32 or wider.

    Returns:
        This process's share, in nats.
    """
    values = -F.log_softmax(_wide(logits), dim=1).mean(dim=1)
    return mean(values, torch.ones_like(values, dtype=torch.bool))


def hsic(first: Tensor, second: Tensor, rows: Tensor, size: int) -> Tensor:
    """How far two embeddings depend on each other: HSIC with Gaussian kernels (Gretton et al. 2005, Eq. 9).

    trace(K H L H) / (n - 1)^2 over the n clips of the global batch, `k(x, y) = exp(-|x - y|^2 / (2 s^2))`, s the median
    distance between two clips, through which no gradient flows. Not negative; 0 where either is the same for all clips.
    It is the biased estimate: of independent embeddings it is of the order of 1 / n, more in many dimensions.

    Args:
        first: B x D, any float dtype; computed in float32 or wider.
        second: B x E, likewise; another embedding, or labels one-hot.
        rows: B int64, the place of each clip in the global batch.
        size: clips in the global batch.

    Returns:
        This process's share, a scalar; without a graph where fewer than two clips are there.
    """
    with torch.autocast(first.device.type, enabled=False):
        first, second = _together(first, second, rows, size)
        count = len(first)
        if count < 2:
            return first.new_zeros(())
        kernel = _gaussian(first)
        centred = kernel - kernel.mean(dim=0) - kernel.mean(dim=1, keepdim=True) + kernel.mean()
        return (centred * _gaussian(second)).sum() / (count - 1) ** 2 / processes.count()


def orthogonality(first: Tensor, second: Tensor, rows: Tensor, size: int) -> Tensor:
    """Mean squared correlation, 0 to 1, of a column of one embedding and a column of the other.

    The squared Frobenius norm of the product of two embeddings (Bousmalis et al. 2016, Eq. 5), of columns standardised
    over the global batch and divided by their numbers, so that neither scale nor dimensions change its size. It sees
    linear dependence alone. A column that is the same for all clips is correlated with nothing.

    Args:
        first: B x D, any float dtype; computed in float32 or wider.
        second: B x E, likewise.
        rows: B int64, the place of each clip in the global batch.
        size: clips in the global batch.

    Returns:
        This process's share, a scalar; without a graph where fewer than two clips are there.
    """
    with torch.autocast(first.device.type, enabled=False):
        first, second = _together(first, second, rows, size)
        count = len(first)
        if count < 2:
            return first.new_zeros(())
        # |A'B|^2 = sum(AA' * BB'): clips x clips, which are fewer than the products of 2048 and 2048 columns
        alike = [(values @ values.T) / (count * values.shape[1]) for values in map(_standard, (first, second))]
        return (alike[0] * alike[1]).sum() / processes.count()


PENALTIES = {"hsic": hsic, "orthogonality": orthogonality}


def _wide(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def _together(first: Tensor, second: Tensor, rows: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Two embeddings of all clips of the global batch that any process holds, n x D and n x E, with gradient."""
    first = _wide(first)
    second = second.to(first.dtype)
    held = processes.gathered(torch.cat([first, second, first.new_ones(len(first), 1)], dim=1), rows, size)
    held = held[held[:, -1] > 0]
    return held[:, : first.shape[1]], held[:, first.shape[1] : -1]


def _standard(values: Tensor) -> Tensor:
    """Columns with mean 0 and deviation 1, n x D; zeros where a column is constant."""
    average = values.mean(dim=0)
    values = values - average
    return values / torch.maximum(values.square().mean(dim=0), EPSILON * (1 + average.detach().square())).sqrt()


def _gaussian(values: Tensor) -> Tensor:
    """The Gaussian kernel of all pairs of n x D, n x n; ones where no two clips differ."""
    values = values - values.mean(dim=0)  # far from the origin the squares below would cancel
    squares = values.square().sum(dim=1)
    distances = (squares[:, None] + squares - 2 * values @ values.T).clamp(min=0)
    distances = distances - torch.diag(distances.diagonal())
    with torch.no_grad():
        pairs = distances[tuple(torch.triu_indices(len(values), len(values), 1, device=values.device))]
        median, average = pairs.sqrt().quantile(0.5).square(), pairs.mean()
        width = torch.where(median > 0, median, torch.where(average > 0, average, 1.0))
    return (distances / (-2 * width)).exp()
