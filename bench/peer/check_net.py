#!/usr/bin/env python3
"""Is the network that bench_torch.py times varhead's, and does this PyTorch compute it right?

    check_net.py CHECKPOINT POINTS[:GROUP] [GRADIENTS[:GROUP]]
    check_net.py tests/golden/golden_a.h5 tests/golden/golden_a_expected.h5:predict tests/golden/golden_a_expected.h5:grad

The weights trunk_ema and heads_ema of CHECKPOINT must fit by name and shape, and none be left over. POINTS has x, t
or model_time, and eps, npr, sn as `infer predict --output` writes them. GRADIENTS has x0, eps, t, the loss of stage 1 and
its gradient for every weight of the trunk, of the linear schedule with 1000 timesteps. Printed is how far PyTorch is from
each, in both layouts of memory; the exit status is 1 where it is too far. Needs h5py and yaml.
"""
import os
import sys

import h5py
import torch
import yaml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from diffusion import Diffusion  # noqa: E402
from heads import head_for       # noqa: E402
from unet import UNet            # noqa: E402

LAYOUTS = {"default layout": torch.contiguous_format, "channels last": torch.channels_last}
OUTPUT, GRADIENT = 1e-4, 1e-3  # allowed, in parts of the largest value


def tensors(group):
    return {name: torch.tensor(data[()]) for name, data in group.items() if isinstance(data, h5py.Dataset)}


def group_of(where):
    """The open group of FILE[:GROUP]."""
    path, _, group = where.partition(":")
    file = h5py.File(path)
    return file[group] if group else file


def networks(file, layout):
    config = yaml.safe_load(file["config"][()].decode())
    data, model = config["data"], config["model"]
    trunk = UNet(data["channels"], data["resolution"], model["channels"], tuple(model["channel_mult"]),
                 model["res_blocks"], tuple(model["attention"]), model["dropout"], model["norm_groups"])
    trunk.load_state_dict(tensors(file["trunk_ema"]), strict=True)
    heads = torch.nn.ModuleDict()
    for loss, group in file.get("heads_ema", {}).items():
        heads[loss] = head_for(trunk, config["head"]["type"], data["channels"])
        heads[loss].load_state_dict(tensors(group), strict=True)
    return trunk.eval().to(memory_format=layout), heads.eval().to(memory_format=layout)


def outputs(trunk, heads, points, layout):
    """Pairs of what PyTorch computes and what was expected, by name."""
    points = tensors(points)
    time = points["model_time" if "model_time" in points else "t"]
    with torch.no_grad():
        eps, h, temb = trunk(points["x"].float().contiguous(memory_format=layout), time)
        got = {"eps": eps, **{loss: head(h, temb) for loss, head in heads.items()}}
    return {name: (value, points[name]) for name, value in got.items() if name in points}


def gradients(trunk, group, layout):
    """The same for the loss of stage 1 and its gradients."""
    points = tensors(group)
    x = Diffusion().noisy(points["x0"].float(), points["eps"].float(), points["t"].long())
    guess = trunk(x.contiguous(memory_format=layout), points["t"])[0]
    loss = (points["eps"].float() - guess).pow(2).flatten(1).sum(1).mean()
    loss.backward()
    expected = tensors(group["trunk"])
    pairs = {name: (weight.grad, expected[name]) for name, weight in trunk.named_parameters()}
    return {"stage1_loss": (loss.detach(), points["stage1_loss"]), **pairs}


def worst(pairs):
    """The largest difference of all pairs, in parts of the pair's largest value, and its name.

    Gradients that are zero but for rounding (the biases of attention's keys) are measured by a thousandth of the
    largest value of all.
    """
    largest = max(want.abs().max().item() for _, want in pairs.values())
    return max(((got - want).abs().max().item() / max(want.abs().max().item(), 1e-3 * largest), name)
               for name, (got, want) in pairs.items())


def report(what, pairs, allowed):
    difference, name = worst(pairs)
    print(f"{what}: {len(pairs)} compared, worst {difference:.1e} of the largest value ({name})")
    if not difference <= allowed:  # nan fails too
        sys.exit(f"check_net.py: {what}, {name}: {difference:.1e} from what is expected, more than {allowed:.0e}")


def main():
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    for words, layout in LAYOUTS.items():
        trunk, heads = networks(h5py.File(sys.argv[1]), layout)
        if layout == torch.contiguous_format:
            print(f"torch {torch.__version__}: {sum(p.numel() for p in trunk.parameters())} parameters, "
                  "all by name and shape")
        report(f"outputs, {words}", outputs(trunk, heads, group_of(sys.argv[2]), layout), OUTPUT)
        if len(sys.argv) == 4:
            trunk.load_state_dict(tensors(h5py.File(sys.argv[1])["trunk"]), strict=True)
            report(f"gradients, {words}", gradients(trunk, group_of(sys.argv[3]), layout), GRADIENT)


if __name__ == "__main__":
    main()
