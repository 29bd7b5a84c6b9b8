#!/usr/bin/env python3
"""Writes tests/data/text/{gpt2,llama3,qwen2,spm}.json: small vocabularies and
what the reference libraries (tokenizers, sentencepiece) make of hard text.

    python3 tools/reference/tokenizer_cases.py --out tests/data/text
"""

import argparse
import io
import json
import os

TRAINING = [
    "The quick brown fox jumps over the lazy dog; it's 12,345 o'clock and they'll say they've won.",
    "IT'S A TEST. THEY'LL SEE WE'RE RIGHT, I'M SURE HE'D AGREE. Don't you? don't they? We'd've come.",
    "def main(args):\n    for i in range(10):\n        print(f\"{i}: {args[i]}\")\n    return None\n\n",
    "int main(int argc, char** argv) {\n\tstd::vector<int> v = {1, 2, 3};\n\treturn v.size() == 3 ? 0 : -1;\n}\n",
    "{\"name\": \"Mira\", \"age\": 42, \"items\": [1, 2.5, null, true]}",
    "Der Bär läuft über die Straße. Les élèves étaient là. ¿Qué pasó, señor? Åse spiser smørbrød.",
    "Привет, мир! Как дела? Привет, привет. Καλημέρα κόσμε. Γειά σου.",
    "你好，世界。今天天气很好。你好你好。日本語のテキストです。こんにちは世界。안녕하세요 세계.",
    "مرحبا بالعالم ١٢٣ नमस्ते दुनिया १२३ שלום עולם",
    "🙂🙂 👩‍👩‍👧 🇩🇪 ❤️ 👍🏽", "   indented\n\n\n\t\ttabs\t and   runs of   spaces   \n",
    "hello world, hello there, hello hello. The theory of the other thing is that there are others.",
    "2024-01-15 10:30:00 192.168.0.1 3.14159 1000000 100 200 300 12 34 56 78 90"]

TEXTS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\t", " \n", "\n ", "\r\n", "\r\n\r\n", " \r\n \t \n", "a", " a", "  a", "a ", "a  ", "a   b",
    "Hello, world!", "hello hello  hello   hello", "The quick brown fox", "the theory of others",
    "It's, they'll, we've, I'm, you're, he'd, don't", "IT'S THEY'LL WE'VE I'M YOU'RE HE'D DON'T", "It'S tHEY'lL 'Ve 'rE",
    "'s", " 's", "''s", "'sa", "x'llama 'd'd", "\u017f '\u017f it'\u017f IT'\u017fX", "o'clock rock'n'roll ' '", "\u2019s it\u2019s",
    "1", "12", "123", "1234", "12345", "1234567890", " 1 22 333 4444", "1,234.56", "v1.2.3-rc4", "a1b22c333", "3.14159e-10",
    "\u0661\u0662\u0663\u0664 \u0967\u0968\u0969\u096a \u0e51\u0e52 \uff11\uff12\uff13\uff14", "\u00bd \u00be\u00bc \u2167 \u2460\u2461 x\u00b2 \u3007\u4e00\u4e8c",
    "caf\u00e9 na\u00efve \u00c5ngstr\u00f6m stra\u00dfe", "e\u0301 cafe\u0301 a\u0308\u0323b", "\u0301start \u0301", "\ufb01ne \ufb02ow \u01c5 \u02b0",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1", "\u4f60\u597d\uff0c\u4e16\u754c\u3002", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3067\u3059\u3002123\u5186",
    "\uc548\ub155 \uc138\uacc4", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645", "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0e0a\u0e32\u0e27",
    "\U0001f642", " \U0001f642\U0001f642", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\u2764\ufe0f", "\U0001f44d\U0001f3fd ok", "\U00020000 \U0001d504\U0001d7d8",
    "\u00a0nbsp\u00a0\u00a0x", "em\u2003space \u3000wide\u3000", "\u2028line\u2029para", "\u0085nel", "zero\u200bwidth\u2060joiner\ufeff", "\u00ad\u061c\u202edir",
    "def f(x):\n    return x**2  # trailing   \n\n\n", "if (a&&b||!c) { x+=1; }", "\t\tfoo();\n\t}\n", "a_b __init__ snake_case CamelCase",
    "{\"a\": [1, 2.5, null], \"b\": \"c\\n\"}", "<html><body class=\"x\">&amp;</body></html>", "#!/bin/sh\necho $HOME && ls -la | wc", "https://example.org/a?b=c&d=%20#e",
    "   leading", "trailing   ", "line one\nline two\n\n  line three\n\n\n   \nlast", "a\n b\n  c\n   d", " \n\n x", "x \n\n", "mixed \t \n\t x", "\n\n\n\nfour",
    "!!!", " !!!\n\n", "...\n", "\u2026\u201cquotes\u201d \u2013 \u2014 \u20ac5 \u00a35 $5", "a\u0001b\u007fc\u001f", "\x00nul\x00", "\ue000private \uffff \U0010ffff",
    "x" * 70, "ab" * 40, " " * 40, " " * 40 + "x", "\n" * 20, "9" * 30, "\u4f60" * 20, "=" * 33, "-+-+-+",
    "unreachable everyword unreachable", "Unreachable\nunreachable"]

SPECIAL_TEXTS = [
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>", "<|im_end|><|im_end|>", " <|im_end|> ", "a<|im_end|>b <|im_end|>  c",
    "<|im_end", "<|im_end|", "<|<|im_end|>|>", "<|endoftext|>\n\nThe end.<|endoftext|>"]

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def case(text, ids, special):
    return dict(text=text, bytes_hex=text.encode().hex(), ids=[int(i) for i in ids], special=special)


def byte_level(name, pre, pattern, ignore_merges):
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    def split():
        return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])

    t = Tokenizer(models.BPE())
    t.pre_tokenizer = split()
    t.train_from_iterator(TRAINING * 3, trainers.BpeTrainer(
        vocab_size=580, show_progress=False, special_tokens=[], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(t.to_str())["model"]
    vocab = dict(model["vocab"])
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    # Whole words that no merge makes: only a vocabulary that ignores merges
    # finds them.
    for word in ["Ġunreachable", "Unreachable", "Ġeveryword", "ĠÐŁÑĢÐ¸Ð²ÐµÑĤik"]:
        vocab.setdefault(word, len(vocab))
    first = len(vocab)

    def build(special):
        b = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=ignore_merges))
        b.pre_tokenizer = split()
        if special:
            from tokenizers import AddedToken
            b.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
            assert b.token_to_id(SPECIAL[0]) == first
        return b

    tokens = sorted(vocab, key=vocab.get) + SPECIAL
    assert [vocab[x] for x in tokens[:first]] == list(range(first)) and len(tokens) <= 600
    plain, parsing = build(False), build(True)
    cases = [case(x, plain.encode(x, add_special_tokens=False).ids, False) for x in TEXTS + SPECIAL_TEXTS]
    cases += [case(x, parsing.encode(x, add_special_tokens=False).ids, True) for x in SPECIAL_TEXTS + TEXTS[::7]]
    for c in cases:  # the reference must give the text back, or it read it otherwise
        inverse = {v: k for k, v in byte_alphabet().items()}
        raw = b"".join(tokens[i].encode() if i >= first else bytes(inverse[ch] for ch in tokens[i]) for i in c["ids"])
        assert raw == c["text"].encode(), c
    return dict(
        about=f"tokenizers' BPE with the {pre} pre-tokenizer; see tools/reference/tokenizer_cases.py",
        vocab=dict(model="gpt2", pre=pre, tokens=tokens, merges=[" ".join(m) for m in merges], scores=[],
                   kinds=[1] * first + [3] * len(SPECIAL), bos=first, eos=first + 2, eot=-1, unk=-1, pad=-1,
                   add_bos=False, add_eos=False, add_space_prefix=False, ignore_merges=ignore_merges),
        cases=cases)


def byte_alphabet():
    """GPT-2's printable character of each byte."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    out, n = {}, 0
    for b in range(256):
        if b in keep:
            out[b] = chr(b)
        else:
            out[b] = chr(256 + n)
            n += 1
    return out


def spm():
    import sentencepiece as sp
    model = io.BytesIO()
    lines = [line for x in TRAINING * 3 for line in x.replace("\t", "    ").split("\n") if line]
    sp.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, model_type="bpe", vocab_size=560, byte_fallback=True,
        normalization_rule_name="identity", add_dummy_prefix=True, remove_extra_whitespaces=False, split_digits=True,
        allow_whitespace_only_pieces=True, character_coverage=0.98, control_symbols=SPECIAL, hard_vocab_limit=False,
        minloglevel=2)
    p = sp.SentencePieceProcessor(model_proto=model.getvalue())
    n = p.get_piece_size()

    def kind(i):
        return 2 if p.is_unknown(i) else 3 if p.is_control(i) else 6 if p.is_byte(i) else 5 if p.is_unused(i) else 1

    cases = [case(x, p.encode(x), False) for x in TEXTS + SPECIAL_TEXTS if "\x00" not in x]
    # After a control token implementations differ on the space prefix: only
    # texts that end with one, or hold nothing else.
    for x in ["Hello<|im_end|>", "<|im_end|>", "The end.<|im_end|><|endoftext|>", "two  spaces <|im_end|>", "a</s>"]:
        head = x
        tail = []
        while True:
            end = next((s for s in SPECIAL + ["</s>"] if head.endswith(s)), None)
            if end is None:
                break
            head, tail = head[:-len(end)], [p.piece_to_id(end)] + tail
        cases.append(case(x, (p.encode(head) if head else []) + tail, True))
    return dict(
        about="sentencepiece's BPE with byte fallback, as Llama-2; see tools/reference/tokenizer_cases.py",
        vocab=dict(model="llama", pre="default", tokens=[p.id_to_piece(i) for i in range(n)],
                   scores=[p.get_score(i) for i in range(n)], kinds=[kind(i) for i in range(n)], merges=[],
                   bos=p.bos_id(), eos=p.eos_id(), eot=-1, unk=p.unk_id(), pad=-1, add_bos=True, add_eos=False,
                   add_space_prefix=True, ignore_merges=False),
        cases=cases)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--out", default="tests/data/text")
    out = a.parse_args().out
    os.makedirs(out, exist_ok=True)
    for name, make in dict(
            gpt2=lambda: byte_level("gpt2", "gpt-2", GPT2, False),
            llama3=lambda: byte_level("llama3", "llama-bpe", LLAMA3, True),
            qwen2=lambda: byte_level("qwen2", "qwen2", QWEN2, False), spm=spm).items():
        made = make()
        with open(os.path.join(out, name + ".json"), "w") as f:
            json.dump(made, f, indent=None, separators=(",", ":"))
            f.write("\n")
        print(name, len(made["vocab"]["tokens"]), "tokens,", len(made["cases"]), "cases", flush=True)


if __name__ == "__main__":
    main()
