#!/usr/bin/env python3
"""Writes tests/data/text/hf/NAME: small tokenizer.json files of the forms that
published models have, SentencePiece's own tokenizer.model, and the ids that the
reference libraries (tokenizers, sentencepiece) give hard text.

    python3 tools/reference/tokenizer_files.py --out tests/data/text/hf

Needs tokenizers and sentencepiece (made with 0.23 and 0.2.2).
"""

import argparse
import io
import json
import os

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizer_cases import GPT2, LLAMA3, QWEN2, SPECIAL, SPECIAL_TEXTS, TEXTS, TRAINING

O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
          r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
          r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"
             r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
EXTRA_TEXTS = [
    "CamelCaseWORDs HTTPServer iPhone ÀÉÎõü ǅ ʰ Ⅷ", "we'LL WE'll x'Dy", "path/to/file.txt // comment\n/ / /\n", "$a+$b=¥c ∑∀ ©®",
    "漢字かなカナ混じり文ー。ABC漢字123", "!word #tag @user ~/x", "12345678 1,000,000.50 ٣٤٥٦", "e\u0301\u0301 नमस्ते",
    "<s>", "</s> x", "<unk>", "▁ ▁a a▁b", "<0x0A>", " <s> ", "tab\there", "\u200bzero"]


def split(pattern, behavior="isolated"):
    return pre_tokenizers.Split(Regex(pattern), behavior)


def byte_level(use_regex=False, add_prefix_space=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=use_regex)


def byte_level_bpe(pre, normalizer=None, ignore_merges=False, bos=False):
    t = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    t.pre_tokenizer = pre
    if normalizer is not None:
        t.normalizer = normalizer
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TRAINING * 3, trainers.BpeTrainer(
        vocab_size=560, show_progress=False, special_tokens=[], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    if bos:
        t.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{SPECIAL[0]} $A", pair=f"{SPECIAL[0]} $A {SPECIAL[0]} $B",
                                          special_tokens=[(SPECIAL[0], t.token_to_id(SPECIAL[0]))])])
    else:
        t.post_processor = processors.ByteLevel(trim_offsets=False)
    return t


def sentencepiece_model(add_dummy_prefix=True, type="bpe"):
    import sentencepiece as sp
    model = io.BytesIO()
    lines = [line for x in TRAINING * 3 for line in x.replace("\t", "    ").split("\n") if line]
    sp.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, model_type=type, vocab_size=560, byte_fallback=True,
        normalization_rule_name="identity", add_dummy_prefix=add_dummy_prefix, remove_extra_whitespaces=False,
        split_digits=True, allow_whitespace_only_pieces=True, character_coverage=0.98, control_symbols=SPECIAL,
        hard_vocab_limit=False, minloglevel=2)
    return model.getvalue(), sp.SentencePieceProcessor(model_proto=model.getvalue())


def byte_fallback_bpe(form):
    """The pieces of a SentencePiece model as tokenizer.json has them."""
    _, p = sentencepiece_model()
    vocab = {p.id_to_piece(i): i for i in range(p.get_piece_size())}
    normal = {s: p.get_score(i) for s, i in vocab.items()
              if not (p.is_unknown(i) or p.is_control(i) or p.is_byte(i) or p.is_unused(i))}
    merges = []
    for piece, score in normal.items():
        pairs = [(piece[:k], piece[k:]) for k in range(1, len(piece)) if piece[:k] in normal and piece[k:] in normal]
        merges += [(score, pair) for pair in sorted(pairs, key=lambda q: (vocab[q[0]], vocab[q[1]]))]
    merges = [pair for _, pair in sorted(merges, key=lambda m: -m[0])]
    t = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in ["<unk>", "<s>", "</s>"] + SPECIAL])
    tail = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if form == "prepend":  # Llama 2, Mistral v0.1
        t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tail.append(decoders.Strip(" ", 1, 0))
    elif form == "metaspace":  # newer conversions of the same
        t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
        tail.append(decoders.Strip(" ", 1, 0))
    else:  # Gemma
        t.normalizer = normalizers.Replace(" ", "▁")
        t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    t.decoder = decoders.Sequence(tail)
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", vocab["<s>"])])
    return t


FORMS = dict(
    gpt2=lambda: byte_level_bpe(byte_level(use_regex=True)),
    llama3=lambda: byte_level_bpe(pre_tokenizers.Sequence([split(LLAMA3), byte_level()]), ignore_merges=True, bos=True),
    qwen2=lambda: byte_level_bpe(pre_tokenizers.Sequence([split(QWEN2), byte_level()]), normalizers.NFC()),
    smollm=lambda: byte_level_bpe(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                           byte_level(use_regex=True)])),
    gpt4o=lambda: byte_level_bpe(pre_tokenizers.Sequence([split(O200K), byte_level()]), ignore_merges=True),
    tekken=lambda: byte_level_bpe(pre_tokenizers.Sequence([split(TEKKEN), byte_level()]), ignore_merges=True, bos=True),
    deepseek_coder=lambda: byte_level_bpe(pre_tokenizers.Sequence([
        split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-퟿]+"),
        pre_tokenizers.Digits(individual_digits=True), byte_level()])),
    deepseek_v3=lambda: byte_level_bpe(pre_tokenizers.Sequence([
        split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK3), byte_level()]), bos=True),
    llama2=lambda: byte_fallback_bpe("prepend"),
    llama2_metaspace=lambda: byte_fallback_bpe("metaspace"),
    gemma=lambda: byte_fallback_bpe("gemma"))


def write(folder, name, content):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(content if isinstance(content, bytes) else
                json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--out", required=True)
    out = args.parse_args().out
    texts = TEXTS + SPECIAL_TEXTS + EXTRA_TEXTS
    for name, make in FORMS.items():
        folder = os.path.join(out, name)
        os.makedirs(folder, exist_ok=True)
        t = make()
        path = os.path.join(folder, "tokenizer.json")
        t.save(path, pretty=False)
        t = Tokenizer.from_file(path)  # what a file says counts
        write(folder, "cases.json", dict(cases=[
            dict(bytes=x.encode().hex(), add_special=special, ids=t.encode(x, add_special_tokens=special).ids)
            for special in (False, True) for x in (texts if not special else texts[::9])]))
        print(name, t.get_vocab_size(), flush=True)
    for name, kwargs in dict(spm=dict(), spm_no_prefix=dict(add_dummy_prefix=False)).items():
        raw, p = sentencepiece_model(**kwargs)
        folder = os.path.join(out, name)
        write(folder, "tokenizer.model", raw)
        write(folder, "cases.json", dict(cases=[
            dict(bytes=x.encode().hex(), add_special=False, ids=p.encode(x)) for x in TEXTS + EXTRA_TEXTS if "\x00" not in x]))
        print(name, p.get_piece_size(), flush=True)
    raw, _ = sentencepiece_model(type="unigram")
    write(os.path.join(out, "unigram"), "tokenizer.model", raw)


if __name__ == "__main__":
    main()
