#!/usr/bin/env python3
"""Computes tests/data/demo_model/references.json anew: for the prompts in it,
the logits after the last token, the mean negative log-likelihood and 64 greedy
tokens, by PyTorch in float32 on a CPU, from the values of the GGUF file.

    python3 tools/demo_model/references.py [--check]

Needs PyTorch and numpy alone: Debian's python3-torch and python3-numpy serve.
--check writes nothing: exit status 1 if a token or a logit (beyond 2e-4, what
another order of summation may do) differs from the file.
"""

import argparse
import json
import math
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn as nn  # noqa: E402
import torch.nn.functional as F  # noqa: E402


class PlainRMSNorm(nn.Module):
    def __init__(self, n, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(n)), eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def plain_attention(q, k, v, is_causal):
    a = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    t = a.shape[-1]
    if is_causal:
        a = a.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), float("-inf"))
    return a.softmax(-1) @ v


# PyTorch before 2.4 and 2.0 lacks these.
if not hasattr(nn, "RMSNorm"):
    nn.RMSNorm = PlainRMSNorm
if not hasattr(F, "scaled_dot_product_attention"):
    F.scaled_dot_product_attention = plain_attention

import gguf  # noqa: E402
from model import Llama, Shape  # noqa: E402

NAMES = dict(attn_norm="attn_norm", wq="attn_q", wk="attn_k", wv="attn_v", wo="attn_output",
             ffn_norm="ffn_norm", gate="ffn_gate", up="ffn_up", down="ffn_down")


def load(path):
    tensors = gguf.read_tensors(path)
    model = Llama(Shape()).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.startswith("blocks."):
                _, layer, ours, _ = name.split(".")
                theirs = f"blk.{layer}.{NAMES[ours]}.weight"
            else:
                theirs = {"embedding.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}[name]
            p.copy_(torch.from_numpy(np.array(tensors[theirs])).view(p.shape))
    return model


def compute(model, ids):
    logits = model(torch.tensor([ids]))[0]
    greedy, margin, x = [], math.inf, list(ids)
    for _ in range(64):
        top = model(torch.tensor([x]))[0, -1].topk(2)
        margin = min(margin, (top.values[0] - top.values[1]).item())
        greedy.append(int(top.indices[0]))
        x.append(greedy[-1])
    return dict(greedy=greedy, least_margin=margin,
                mean_nll=F.cross_entropy(logits[:-1], torch.tensor(ids[1:])).item(),
                last_logits=[round(v, 5) for v in logits[-1].tolist()])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default=os.path.join(ROOT, "models", "troupe-demo.gguf"))
    p.add_argument("--file", default=os.path.join(ROOT, "tests", "data", "demo_model", "references.json"))
    p.add_argument("--check", action="store_true", help="compare instead of writing")
    a = p.parse_args()
    with open(a.file) as f:
        data = json.load(f)
    model, wrong = load(a.model), 0
    with torch.no_grad():
        for n, prompt in enumerate(data["prompts"]):
            new = compute(model, prompt["ids"])
            worst = max(abs(x - y) for x, y in zip(new["last_logits"], prompt["last_logits"]))
            same = new["greedy"] == prompt["greedy"]
            print(f"prompt {n}: logits differ by at most {worst:.1e}, greedy tokens "
                  f"{'equal' if same else 'DIFFER'}, least margin {new['least_margin']:.4f}", flush=True)
            wrong += not same or worst > 2e-4
            prompt.update(new)
    if a.check:
        return 1 if wrong else 0
    with open(a.file, "w") as f:
        json.dump(data, f)
        f.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
