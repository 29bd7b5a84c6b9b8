#!/usr/bin/env python3
"""Writes tests/data/hf/NAME: small models with random weights, one for each
architecture, and the logits that transformers computes of them in float32.

    python3 tools/reference/model_cases.py --out tests/data/hf

Needs PyTorch and transformers (made with 2.11 and 5.17). config.json is
written in the form that files of transformers 4 have, which is what people
download; NEW_FORM names those that keep the form of transformers 5.
"""

import argparse
import json
import os

import torch
import transformers as tr

VOCAB, HIDDEN, HEADS, KV_HEADS, HEAD_DIM, FFN, LAYERS = 128, 64, 4, 2, 16, 96, 2
TOKENS = 40
NEW_FORM = {"qwen3", "gemma3", "llama3_rope_new"}

COMMON = dict(vocab_size=VOCAB, hidden_size=HIDDEN, intermediate_size=FFN, num_hidden_layers=LAYERS,
              num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, max_position_embeddings=256,
              bos_token_id=1, eos_token_id=2, pad_token_id=None, attn_implementation="eager")


def common(**more):
    return {**COMMON, **more}


def rope(kind, theta=10000.0, **more):
    return dict(rope_type=kind, rope_theta=theta, **more)


LLAMA3 = rope("llama3", 500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
DEEPSEEK = dict(hidden_size=HIDDEN, num_hidden_layers=3, num_key_value_heads=HEADS, kv_lora_rank=32,
                qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=16, moe_intermediate_size=32,
                n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=1, first_k_dense_replace=1,
                head_dim=8)
DEEPSEEK_YARN = rope("yarn", factor=4.0, beta_fast=32, beta_slow=1, mscale=0.707, mscale_all_dim=0.707,
                     original_max_position_embeddings=32)


def models():
    yield "llama", tr.LlamaConfig(**common(rope_parameters=rope("default")))
    yield "llama_tied", tr.LlamaConfig(**common(rope_parameters=rope("default", 5000.0), head_dim=32,
                                                     tie_word_embeddings=True))
    yield "llama_linear", tr.LlamaConfig(**common(rope_parameters=rope("linear", factor=2.5)))
    yield "llama3_rope", tr.LlamaConfig(**common(rope_parameters=LLAMA3, tie_word_embeddings=True))
    yield "llama3_rope_new", tr.LlamaConfig(**common(rope_parameters=LLAMA3))
    yield "mistral", tr.MistralConfig(**common(rope_parameters=rope("default"), sliding_window=8))
    yield "qwen2", tr.Qwen2Config(**common(rope_parameters=rope("default", 1000000.0), tie_word_embeddings=True))
    yield "qwen2_yarn", tr.Qwen2Config(**common(
        rope_parameters=rope("yarn", 1000000.0, factor=4.0, original_max_position_embeddings=32)))
    yield "qwen3", tr.Qwen3Config(**common(rope_parameters=rope("default", 1000000.0), head_dim=32))
    yield "qwen3_moe", tr.Qwen3MoeConfig(**common(
        rope_parameters=rope("default", 1000000.0), head_dim=32, moe_intermediate_size=32, num_experts=8,
        num_experts_per_tok=2, norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[]))
    yield "mixtral", tr.MixtralConfig(**common(
        rope_parameters=rope("default", 1000000.0), num_local_experts=4, num_experts_per_tok=2, sliding_window=None))
    yield "phi3", tr.Phi3Config(**common(rope_parameters=rope("default")))
    yield "phi3_window", tr.Phi3Config(**common(rope_parameters=rope("default"), sliding_window=16))
    yield "gemma2", tr.Gemma2Config(**common(
        rope_parameters=rope("default"), head_dim=32, query_pre_attn_scalar=24, sliding_window=8,
        attn_logit_softcapping=5.0, final_logit_softcapping=3.0, num_hidden_layers=3))
    yield "gemma3", tr.Gemma3TextConfig(**common(
        head_dim=32, query_pre_attn_scalar=24, sliding_window=8, num_hidden_layers=7,
        rope_parameters=dict(full_attention=rope("linear", 1000000.0, factor=8.0),
                             sliding_attention=rope("default", 10000.0))))
    yield "deepseek_v2", tr.DeepseekV2Config(**common(
        **{**DEEPSEEK, "q_lora_rank": None, "topk_method": "greedy", "n_group": None, "topk_group": None,
           "routed_scaling_factor": 1.0, "norm_topk_prob": False, "rope_parameters": DEEPSEEK_YARN}))
    yield "deepseek_v2_grouped", tr.DeepseekV2Config(**common(
        **{**DEEPSEEK, "q_lora_rank": 24, "topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2,
           "routed_scaling_factor": 16.0, "norm_topk_prob": False, "rope_parameters": rope("default")}))
    yield "deepseek_v3", tr.DeepseekV3Config(**common(
        **{**DEEPSEEK, "q_lora_rank": 24, "n_group": 4, "topk_group": 2, "routed_scaling_factor": 2.5,
           "norm_topk_prob": True, "rope_interleave": True,
           "rope_parameters": {**DEEPSEEK_YARN, "mscale": 1.0, "mscale_all_dim": 1.0}}))


def randomise(model, name):
    g = torch.Generator().manual_seed(sum(name.encode()))
    with torch.no_grad():
        for key, p in list(model.named_parameters()) + list(model.named_buffers()):
            if "inv_freq" in key or "embed_scale" in key:
                continue
            noise = torch.randn(p.shape, generator=g)
            if "norm" in key:
                # Gemma adds 1 to its weights itself.
                p.copy_(0.2 * noise + (0.0 if "gemma" in name else 1.0))
            elif p.dim() == 1:
                p.copy_(0.1 * noise)
            elif "embed" in key and "gemma" not in name:
                p.copy_(noise)
            else:
                p.copy_(noise * (0.15 if "embed" in key else 1.2 / p.shape[-1] ** 0.5))


def old_form(config, name):
    """As transformers 4 writes it."""
    if name in NEW_FORM:
        return config
    ropes = config.pop("rope_parameters", None) or {}
    config["rope_theta"] = ropes.pop("rope_theta", 10000.0)
    kind = ropes.get("rope_type", "default")
    config["rope_scaling"] = None if kind == "default" else ropes
    if name in ("llama_linear", "qwen2_yarn") or "deepseek" in name:
        # The older spelling.
        if config["rope_scaling"]:
            config["rope_scaling"]["type"] = config["rope_scaling"].pop("rope_type")
    if name == "qwen3_moe":
        config["num_experts"] = config.pop("num_local_experts")
    config["torch_dtype"] = config.pop("dtype", "float32")
    config["transformers_version"] = "4.46.0"
    return config


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--out", required=True)
    args.add_argument("--only", nargs="*", help="names of models; all by default")
    args = args.parse_args()
    out = args.out
    for name, config in models():
        if args.only and name not in args.only:
            continue
        torch.manual_seed(0)
        model = tr.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
        randomise(model, name)
        model.tie_weights()
        store = torch.float32 if name in ("llama", "deepseek_v3") else torch.bfloat16
        if name == "qwen3":
            store = torch.float16
        # Only what a file holds may count: the reference computes with it.
        for p in model.parameters():
            p.data.copy_(p.data.to(store).float())
        ids = [(7 * i * i + 3 * i + 5) % VOCAB for i in range(TOKENS)]
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0].float()
        folder = os.path.join(out, name)
        os.makedirs(folder, exist_ok=True)
        # The router of DeepSeek-V3 stays in float32, as in its own files.
        whole = {n: b for n, b in model.named_buffers() if "e_score_correction_bias" in n}
        saved = model.to(store)
        for n, b in saved.named_buffers():
            if n in whole:
                b.data = whole[n]
        size = "300KB" if name == "llama" else "50GB"
        saved.save_pretrained(folder, max_shard_size=size)
        path = os.path.join(folder, "config.json")
        with open(path) as f:
            written = old_form(json.load(f), name)
        with open(path, "w") as f:
            json.dump(written, f, indent=1, sort_keys=True)
        gen = os.path.join(folder, "generation_config.json")
        if os.path.exists(gen):
            os.remove(gen)
        with open(os.path.join(folder, "reference.json"), "w") as f:
            json.dump(dict(ids=ids, logits=[[float(f"{x:.7g}") for x in row] for row in logits.tolist()]), f,
                      separators=(",", ":"))
        print(name, "largest logit", float(logits.abs().max()), "std", float(logits.std()))


if __name__ == "__main__":
    main()
