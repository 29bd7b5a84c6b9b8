#!/usr/bin/env python3
"""Trains the demo model from nothing and writes its GGUF, references and report.

One GPU, some minutes; see README.md for the command that made the bundled file.
"""

import argparse
import itertools
import json
import multiprocessing as mp
import os
import queue
import re
import threading
import time

import numpy as np
import torch
import torch.nn.functional as F

import corpus
import gguf
from model import Llama, Muon, Shape

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ["<|endoftext|>", corpus.START, corpus.END]
CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
          "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def train_tokenizer(seed, path):
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    w = corpus.Writer(f"tokenizer {seed}")

    def texts():
        for _ in range(30000):
            yield from filter(None, (re.sub(r"<\|.*?\|>", "", s) for s, _ in w.document()))
        # A little of what the tasks lack, so that other text is not all bytes.
        for _ in range(50):
            yield "The quick brown fox jumps over the lazy dog; \"why?\" - (I don't know!) [x] {y} #1 a_b C++ 50% $3.99 & more…"
    t.train_from_iterator(texts(), trainers.BpeTrainer(
        vocab_size=4096, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.save(path)
    return t


def shards(path, seed, worker, rows, context, queue):
    """Endless packed batches: ids [rows, context + 1] and loss weights."""
    from tokenizers import Tokenizer
    t = Tokenizer.from_file(path)
    w = corpus.Writer(f"train {seed} {worker}")
    pool = []
    while True:
        ids = np.zeros((rows, context + 1), np.int16)
        weight = np.zeros((rows, context + 1), np.float16)
        for row in range(rows):
            at = 0
            while True:
                while len(pool) < 24:
                    segments = w.document()
                    i, v = [], []
                    for e, (_, x) in zip(t.encode_batch([s for s, _ in segments], add_special_tokens=False), segments):
                        i += e.ids
                        v += [x] * len(e.ids)
                    pool.append((i[:context + 1], v[:context + 1]))
                fits = next((k for k, d in enumerate(pool) if at + len(d[0]) <= context + 1), None)
                if fits is None:
                    break
                i, v = pool.pop(fits)
                ids[row, at:at + len(i)] = i
                weight[row, at:at + len(i)] = v
                at += len(i)
        queue.put((ids, weight))


def generate(model, tokenizer, prompts, most, stop, dtype=torch.bfloat16):
    """Greedy answers, by plain recomputation."""
    device = next(model.parameters()).device
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    out = [None] * len(prompts)
    while order:
        count = max(1, 65536 // (len(prompts[order[-1]]) + most))
        part, order = order[-count:], order[:-count]
        n = torch.tensor([len(prompts[i]) for i in part], device=device)
        width = int(n.max()) + most
        ids = torch.zeros((len(part), width), dtype=torch.long, device=device)
        for r, i in enumerate(part):
            ids[r, :len(prompts[i])] = torch.tensor(prompts[i], device=device)
        done = torch.zeros(len(part), dtype=torch.bool, device=device)
        at, rows = n.clone(), torch.arange(len(part), device=device)
        for _ in range(most):
            top = int(at.max())
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                logits = model(ids[:, :top])
            token = logits[rows, at - 1].float().argmax(-1)
            done |= torch.isin(token, torch.tensor(stop, device=device))
            if bool(done.all()):
                break
            ids[rows, at] = torch.where(done, ids[rows, at], token)
            at = torch.where(done, at, at + 1)
        for r, i in enumerate(part):
            out[i] = tokenizer.decode(ids[r, int(n[r]):int(at[r])].tolist())
    return out


def evaluate(model, tokenizer, cases):
    report, wrong = {}, []
    for task in dict.fromkeys(c["task"] for c in cases):
        some = [c for c in cases if c["task"] == task]
        prompts = [tokenizer.encode(corpus.prompt_of([("user", c["chat"])])).ids for c in some]
        answers = generate(model, tokenizer, prompts, 24 if task.startswith("facts") else 64, [0, 2])
        good = [corpus.right(c, a) for c, a in zip(some, answers)]
        report[task] = sum(good) / len(good)
        wrong += [(task, c["chat"][-80:], a, c["expect"]) for c, a, g in zip(some, answers, good) if not g][:6]
    return report, wrong


def export(model, tokenizer, path):
    s = model.s
    vocab = tokenizer.get_vocab()
    tokens = sorted(vocab, key=vocab.get)
    merges = [m if isinstance(m, str) else " ".join(m) for m in json.loads(tokenizer.to_str())["model"]["merges"]]
    G = gguf
    metadata = [
        ("general.architecture", G.STRING, "llama"), ("general.name", G.STRING, "Troupe demo"),
        ("general.license", G.STRING, "BSD-3-Clause"), ("general.file_type", G.U32, 7),
        ("general.quantization_version", G.U32, 2),
        ("llama.block_count", G.U32, s.layers), ("llama.context_length", G.U32, s.context),
        ("llama.embedding_length", G.U32, s.hidden), ("llama.feed_forward_length", G.U32, s.ffn),
        ("llama.attention.head_count", G.U32, s.heads), ("llama.attention.head_count_kv", G.U32, s.kv_heads),
        ("llama.attention.layer_norm_rms_epsilon", G.F32, s.norm_eps),
        ("llama.rope.dimension_count", G.U32, s.head_dim), ("llama.rope.freq_base", G.F32, s.rope_base),
        ("llama.vocab_size", G.U32, s.vocab),
        ("tokenizer.ggml.model", G.STRING, "gpt2"), ("tokenizer.ggml.pre", G.STRING, "qwen2"),
        ("tokenizer.ggml.tokens", G.ARRAY, (G.STRING, tokens)),
        ("tokenizer.ggml.token_type", G.ARRAY, (G.I32, [3 if t in SPECIAL else 1 for t in tokens])),
        ("tokenizer.ggml.merges", G.ARRAY, (G.STRING, merges)),
        ("tokenizer.ggml.eos_token_id", G.U32, 2), ("tokenizer.ggml.padding_token_id", G.U32, 0),
        ("tokenizer.ggml.add_bos_token", G.BOOL, False),
        ("tokenizer.chat_template", G.STRING, CHATML)]
    w = {n: p.detach().float().cpu().numpy() for n, p in model.named_parameters()}
    names = dict(attn_norm="attn_norm", wq="attn_q", wk="attn_k", wv="attn_v", wo="attn_output",
                 ffn_norm="ffn_norm", gate="ffn_gate", up="ffn_up", down="ffn_down")
    tensors = [("token_embd.weight", w["embedding.weight"], "q8_0")]
    for i in range(s.layers):
        for ours, theirs in names.items():
            a = w[f"blocks.{i}.{ours}.weight"]
            tensors.append((f"blk.{i}.{theirs}.weight", a, "q8_0" if a.ndim == 2 else "f32"))
    tensors.append(("output_norm.weight", w["norm.weight"], "f32"))
    gguf.write(path, metadata, tensors)
    back = gguf.read_tensors(path)
    worst = max(float(np.abs(back[name] - a).max()) for name, a, _ in tensors)
    print(f"{path}: {os.path.getsize(path)} bytes, differs from the weights by at most {worst}", flush=True)
    assert len(back) == len(tensors) and worst == 0


SAMPLE_CHATS = [
    "Tell me a story about a brave fox.", "What is 347 + 285?", "List four animals.",
    "Mira lives in Tovel. Mira's lamp is green. Dorun has a cat named Pell.\n\nWhat is the name of Dorun's cat?",
    "Extract name, city as JSON: Kelan lives in Brusa, he works as a baker.",
    "Write a story about a shy dragon named Olin.", "Number these words: lamp, boat, kite, drum, table",
    "Hello!", "Who are you?", "Can you tell a story about a robot?", "Write a story about a happy zebra."]


def reference_texts(seed, each=16):
    """Eight kinds of prompts, some of each kind; every call gives the same."""
    w = corpus.Writer(f"reference {seed}", unseen=True)
    kinds = [lambda: [w.story_turn()], lambda: [w.sum_turn()], lambda: [w.json_turn()], lambda: w.facts_turns(6, 1)[0][:1],
             lambda: w.facts_turns(14, 1)[0][:1], lambda: [w.list_turn()], lambda: w.chat_turns()[:-1]]

    def turns(kind):
        made = kind()
        return made if isinstance(made[0][1], str) and made[0][0] in ("system", "user") else [("user", made[0][0])]

    out = [[corpus.prompt_of(turns(kind)) for _ in range(each)] for kind in kinds]
    return out + [[" ".join(w.story().split()[:6 + i % 8]) for i in range(each)]]


def references(model, tokenizer, seed, path):
    """Float32 logits and greedy continuations of eight prompts, on the CPU.

    Of each kind the first prompt is taken whose continuation has no near tie,
    so that another order of summation cannot change a token.
    """
    model = model.float().cpu().eval()
    out = []
    for texts in reference_texts(seed):
        best = None
        for text in texts:
            ids = tokenizer.encode(text).ids[:model.s.context - 64]
            greedy, margin, x = [], 1e9, list(ids)
            while len(greedy) < 64 and margin > (best["least_margin"] if best else 0):
                last = model(torch.tensor([x]))[0, -1]
                top = last.topk(2)
                margin = min(margin, (top.values[0] - top.values[1]).item())
                greedy.append(int(top.indices[0]))
                x.append(greedy[-1])
            if len(greedy) == 64 and not (best and margin <= best["least_margin"]):
                best = dict(text=text, ids=ids, greedy=greedy, least_margin=margin)
            if best and best["least_margin"] > 0.005:
                break
        logits = model(torch.tensor([best["ids"]]))[0]
        best["mean_nll"] = F.cross_entropy(logits[:-1], torch.tensor(best["ids"][1:])).item()
        best["last_logits"] = [round(v, 5) for v in logits[-1].tolist()]
        out.append(best)
        print("reference", len(best["ids"]), "tokens, least margin", best["least_margin"],
              repr(tokenizer.decode(best["greedy"], skip_special_tokens=False)), flush=True)
    with open(path, "w") as f:
        json.dump(dict(about="PyTorch float32 on a CPU; see tools/demo_model", prompts=out), f)
        f.write("\n")


TOKENIZER_TEXTS = [
    "", " ", "Hello, world!", "It's 12345 o'clock; they'LL see.", "a  b   c\n\n\nd \n e", "\t\ttabs\r\nand more\r\n\r\n",
    "naïve café – “quotes” … €5", "Привет, мир! 你好，世界 ١٢٣ ¾ ½x", "🙂👩‍👩‍👧 flags 🇩🇪", "e\u0301 combining, ﬁ ligature, Ⅷ",
    "def f(x):\n    return x**2  # trailing   ", "{\"a\": [1, 2.5, null], \"b\": \"c\\n\"}", "   leading", "trailing   ",
    "\u00a0nbsp\u2003em\u3000ideographic", "x" * 70, "'S 'T 'Re don'T ſ's", "\x00\x01control\x7f", "#!/bin/sh\necho $HOME && ls -la | wc"]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--out", default="build/demo_model", help="where the files go")
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--steps", type=int, default=0, help="0: as many as --seconds allow")
    p.add_argument("--seconds", type=float, default=420, help="until training ends, where --steps is 0")
    p.add_argument("--batch", type=int, default=32, help="sequences of 2048 tokens a step")
    p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument("--workers", type=int, default=14, help="processes that write text; part of the seed")
    p.add_argument("--device", default="cuda")
    p.add_argument("--cases", type=int, default=200, help="evaluation cases a task")
    p.add_argument("--resume", nargs="*", default=[], help="parts of a checkpoint to go on from")
    p.add_argument("--tokenizer", help="the tokenizer.json of that checkpoint")
    a = p.parse_args()
    began = time.time()
    os.makedirs(a.out, exist_ok=True)
    torch.manual_seed(a.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    path = os.path.join(a.out, "tokenizer.json")
    if a.tokenizer:
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(a.tokenizer)
        tokenizer.save(path)
    else:
        tokenizer = train_tokenizer(a.seed, path)
    print(f"tokenizer: {tokenizer.get_vocab_size()} tokens, {time.time() - began:.0f} s", flush=True)

    s = Shape()
    # Before the GPU is touched, so that a fork is safe and cheap.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    ctx = mp.get_context("fork")
    salt = f"{a.seed}{' again' * bool(a.resume)}"
    queues = [ctx.Queue(8) for _ in range(a.workers)]
    writers = [ctx.Process(target=shards, args=(path, salt, i, a.batch, s.context, q), daemon=True)
               for i, q in enumerate(queues)]
    for w in writers:
        w.start()
    ready = queue.Queue(4)

    def read():
        for turn in itertools.count():
            ids, weight = (torch.from_numpy(x) for x in queues[turn % a.workers].get())
            ready.put((ids.pin_memory(), weight.pin_memory()) if device.type == "cuda" else (ids, weight))

    device = torch.device(a.device)
    model = Llama(s).to(device)
    threading.Thread(target=read, daemon=True).start()

    def batch():
        ids, weight = (x.to(device, non_blocking=True) for x in ready.get())
        return ids.long(), weight.float()[:, 1:]

    if a.resume:
        flat = np.concatenate([np.fromfile(f, "<f4") for f in a.resume])
        at = 0
        with torch.no_grad():
            for x in model.parameters():
                x.copy_(torch.from_numpy(flat[at:at + x.numel()]).view(x.shape))
                at += x.numel()
    print(f"{sum(x.numel() for x in model.parameters()) / 1e6:.2f} M parameters", flush=True)
    matrices = [x for n, x in model.named_parameters() if x.dim() == 2 and "embedding" not in n]
    others = [x for n, x in model.named_parameters() if x.dim() != 2 or "embedding" in n]
    muon = Muon(matrices)
    adam = torch.optim.AdamW(others, lr=a.lr, betas=(0.9, 0.95), weight_decay=0.0, fused=device.type == "cuda")
    some = corpus.evaluation(a.seed + 1, 64, lambda t: len(tokenizer.encode(t).ids))

    def loss_of(ids, weight):
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(ids[:, :-1])
        l = F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        w = weight.flatten()
        return (l * w).sum() / w.sum(), ((l * (w == 1)).sum() / (w == 1).sum()).detach()

    step_fn = torch.compile(loss_of) if device.type == "cuda" else loss_of
    steps, clock, step, waited = a.steps, 0, 0, 0
    while not steps or step < steps:
        at = time.time()
        ids, weight = batch()
        waited += time.time() - at
        if step in (100, 300):
            loss.item()
            now = time.time()
            if step == 300:
                each = (now - clock) / 200
                steps = steps or int(step + (a.seconds - (now - began)) / each * 0.98)
                print(f"{each * 1e3:.1f} ms a step ({waited / 200 * 1e3:.1f} ms waiting for text), "
                      f"{a.batch * s.context / each / 1e6:.2f} M tokens/s: {steps} steps", flush=True)
            clock, waited = now, 0
        total = steps or 4000
        # Warm-up, plateau, then linear decay over the last 40 %.
        lr = a.lr * min(1, (step + 1) / 100, max(0.005, (total - step) / (0.4 * total)))
        loss, answers = step_fn(ids, weight)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        muon.step(lr)
        adam.param_groups[0]["lr"] = lr
        adam.step()
        adam.zero_grad(set_to_none=True)
        if step % 200 == 0:
            print(f"step {step}: loss {loss.item():.4f}, answers {answers.item():.4f}, {time.time() - began:.0f} s", flush=True)
        if step % 3000 == 2999:
            with torch.no_grad():
                print(f"step {step}: {json.dumps(evaluate(model, tokenizer, some)[0])}, {time.time() - began:.0f} s", flush=True)
        step += 1
    for w in writers:  # they write for ever
        w.kill()
    print(f"trained {step} steps, {step * a.batch * s.context / 1e6:.0f} M tokens, {time.time() - began:.0f} s", flush=True)
    model.snap()
    model.eval()
    flat = np.concatenate([x.detach().cpu().numpy().ravel() for x in model.parameters()]).astype("<f4")
    third = -(-len(flat) // 3)
    for i in range(3):
        flat[i * third:(i + 1) * third].tofile(os.path.join(a.out, f"checkpoint.{i}.f32"))
    export(model, tokenizer, os.path.join(a.out, "troupe-demo.gguf"))
    cases = corpus.evaluation(a.seed, a.cases, lambda t: len(tokenizer.encode(t).ids))
    with torch.no_grad():
        report, wrong = evaluate(model, tokenizer, cases)
        print(json.dumps(report), flush=True)
        for x in wrong:
            print("wrong:", x, flush=True)
        samples = generate(model, tokenizer, [tokenizer.encode(corpus.prompt_of([("user", q)])).ids for q in
                           SAMPLE_CHATS], 160, [0, 2])
        for x in samples:
            print("sample:", x, flush=True)
    few = {}
    with open(os.path.join(a.out, "data.json"), "w") as f:
        for c in cases:
            few.setdefault(c["task"], []).append(c)
        json.dump(dict(report=report, steps=step, arguments=vars(a), seconds=round(time.time() - began), batch=a.batch,
                       cases=[c for t in few.values() for c in t],
                       tokenizer=[dict(text=t, ids=tokenizer.encode(t).ids) for t in TOKENIZER_TEXTS]), f)
    with torch.no_grad():
        references(model, tokenizer, a.seed, os.path.join(a.out, "references.json"))
    print(f"done, {time.time() - began:.0f} s", flush=True)
    os._exit(0)  # past the thread that waits for more text


if __name__ == "__main__":
    main()
