"""Seeded text for the demo model: everything it ever reads is written here.

A document is a list of (text, weight) segments; `weight` scales the training
loss of its tokens. Chat documents hold ChatML; the rest is plain text.

`unseen=True` draws names, things and places that training never does, so an
evaluation measures reading and reckoning, not memory.
"""

import random
import zlib

START, END = "<|im_start|>", "<|im_end|>"

ONSETS = "b br c ch d dr f fl g gr h j k kl l m n p pr qu r s sh st t th tr v w y z".split()
VOWELS = "a e i o u ai ea ee ia oo".split()
CODAS = ["", "", "", "l", "m", "n", "r", "s", "th", "x", "nd", "rn", "ll"]

COLOURS = "red blue green yellow purple orange brown black white grey pink silver golden".split()
JOBS = ("baker painter teacher farmer sailor doctor gardener carpenter tailor pilot miner "
        "singer cook judge clerk nurse fisher weaver potter smith").split()
ANIMALS = ("cat dog horse parrot rabbit goat turtle mouse hen pony lizard duck sheep "
           "hamster owl donkey").split()
FOODS = ("soup bread cheese rice apples honey cake beans pears noodles plums pie corn "
         "olives grapes toast porridge salad").split()
THINGS = ("kite lamp boat hat drum chair clock coat box book basket bell bottle bowl brush "
          "bucket cart chest coin comb cup doll door fan flag flute fork glove hammer harp "
          "jar jug kettle key knife ladder map mask mirror mug needle net paddle pan pen "
          "pillow pipe plate pot ring rope rug saddle scarf shield shoe spoon sword table "
          "tent towel tray vase violin wagon wheel whistle").split()
SPOTS = ["under the bed", "behind the door", "in the attic", "beside the well",
         "on the roof", "in the cellar", "near the bridge", "under the stairs",
         "inside the oven", "behind the barn", "in the garden", "on the top shelf",
         "next to the river", "in the old tree", "at the mill", "under a stone"]
ADJECTIVES = ("brave clever kind lazy shy proud gentle curious tired happy lonely old young "
              "small quiet cheerful stubborn careful hungry wise").split()
HEROES = ("fox bear rabbit owl mouse wolf cat dog hedgehog frog duck horse lion sparrow "
          "turtle squirrel girl boy farmer sailor king queen knight robot dragon").split()
LANDS = ["in a green valley", "by the sea", "at the edge of a dark forest",
         "in a small village", "on a high mountain", "near a wide river",
         "in a busy town", "on a quiet island", "in an old castle", "beside a blue lake"]
GOALS = [("find a lost {t}", "the lost {t}"), ("build a new {t}", "the new {t}"),
         ("win a shiny {t}", "the shiny {t}"), ("bring a {t} to a friend", "the {t}"),
         ("learn how to mend a {t}", "the mended {t}"), ("trade berries for a {t}", "the {t}")]
TROUBLES = [("a storm came and the path was full of water", "the storm had passed"),
            ("a big stone blocked the road", "the stone had rolled away"),
            ("the night fell and it was very dark", "the moon had come out"),
            ("the bridge was broken", "the bridge was whole again"),
            ("a thick fog hid everything", "the fog was gone"),
            ("the wind blew the map away", "the map was back"),
            ("the gate was locked", "the gate stood open"),
            ("snow covered every sign", "the snow had melted")]
HELP = ["\"I can help you,\" said the {h2}. \"We will do it together.\"",
        "\"Do not worry,\" said the {h2}. \"I know another way.\"",
        "The {h2} smiled and said, \"Two are stronger than one.\"",
        "\"Follow me,\" whispered the {h2}. \"I have done this before.\""]
LESSONS = ["From that day on, they were the best of friends.",
           "The {h} learned that it is good to ask for help.",
           "That night the {h} slept well and dreamed of new adventures.",
           "And everyone in the land told the tale for many years.",
           "The {h} never forgot how kind a stranger can be.",
           "They shared a warm supper and laughed until morning."]
FEELINGS = ["was afraid", "felt very sad", "did not give up", "sat down to think",
            "almost turned back", "began to cry", "took a deep breath"]
KINDS = {
    "animals": ANIMALS, "colours": COLOURS, "jobs": JOBS, "foods": FOODS, "things": THINGS}
NUMBERS = "zero one two three four five six seven eight nine ten".split()


def held_out(word):
    """A tenth of all words is never used in training."""
    return zlib.crc32(word.lower().encode()) % 10 == 0


class Writer:
    def __init__(self, seed, unseen=False):
        self.r = random.Random(seed)
        self.unseen = unseen
        self.things = [t for t in THINGS if held_out(t) == unseen]
        self.foods = [t for t in FOODS if held_out(t) == unseen] or FOODS

    # -- words --------------------------------------------------------------

    def coined(self, low=2, high=3):
        r = self.r
        while True:
            n = r.randint(low, high)
            w = "".join(r.choice(ONSETS) + r.choice(VOWELS) for _ in range(n)) + r.choice(CODAS)
            if r.random() < 0.15:
                w = w[1:] if w[1:2] and w[1] in "aeiou" else w
            if 3 <= len(w) <= 11 and held_out(w) == self.unseen:
                return w.capitalize()

    def name(self):
        return self.coined(1, 2) if self.r.random() < 0.5 else self.coined(2, 3)

    def number(self, digits=None):
        d = digits or self.r.choice([1, 2, 2, 3, 3])
        return self.r.randint(0 if d == 1 else 10 ** (d - 1), 10 ** d - 1)

    # -- facts --------------------------------------------------------------

    def fact(self, n, used):
        """-> key, statement, question, answer, value"""
        r = self.r
        for _ in range(20):
            kind = r.randrange(9)
            t = r.choice(self.things)
            if kind == 0:
                v = self.coined()
                k, s = (n, "live"), r.choice(["{n} lives in {v}.", "The home of {n} is in {v}."])
                q, a = r.choice(["Where does {n} live?", "In which place does {n} live?"]), "{n} lives in {v}."
            elif kind == 1:
                v = r.choice(COLOURS)
                k, s = (n, "col", t), r.choice(["{n}'s {t} is {v}.", "{n} owns a {t} that is {v}."])
                q, a = r.choice(["What colour is {n}'s {t}?", "Which colour does {n}'s {t} have?"]), "{n}'s {t} is {v}."
            elif kind == 2:
                v = r.choice(JOBS)
                k, s = (n, "job"), r.choice(["{n} works as a {v}.", "{n} is a {v}."])
                q, a = r.choice(["What is {n}'s job?", "What does {n} work as?"]), "{n} works as a {v}."
            elif kind == 3:
                v, t = self.name(), r.choice(ANIMALS)
                k, s = (n, "pet", t), r.choice(["{n} has a {t} named {v}.", "{n} keeps a {t} called {v}."])
                q, a = r.choice(["What is the name of {n}'s {t}?", "What is {n}'s {t} called?"]), "{n}'s {t} is called {v}."
            elif kind == 4:
                v = str(r.randint(2, 99))
                k, s = (n, "num", t), r.choice(["{n} has {v} {t} cards.", "{n} collected {v} {t} cards."])
                q, a = "How many {t} cards does {n} have?", "{n} has {v} {t} cards."
            elif kind == 5:
                v = r.choice(SPOTS)
                k, s = (n, "hid", t), r.choice(["{n} hid the {t} {v}.", "{n} left the {t} {v}."])
                q, a = r.choice(["Where is {n}'s {t}?", "Where did {n} put the {t}?"]), "{n} put the {t} {v}."
            elif kind == 6:
                v = r.choice(self.foods)
                k, s = (n, "food"), r.choice(["{n} loves to eat {v}.", "The favourite food of {n} is {v}."])
                q, a = r.choice(["What does {n} love to eat?", "What is {n}'s favourite food?"]), "{n} loves to eat {v}."
            elif kind == 7:
                v = str(r.randint(1900, 2020))
                k, s = (n, "born"), r.choice(["{n} was born in {v}.", "The year of {n}'s birth is {v}."])
                q, a = r.choice(["When was {n} born?", "In which year was {n} born?"]), "{n} was born in {v}."
            else:
                v = str(r.randint(1000, 9999))
                k, s = (n, "code"), r.choice(["The secret code of {n} is {v}.", "{n} uses the code {v}."])
                q, a = "What is the code of {n}?", "The code of {n} is {v}."
            if k not in used:
                used.add(k)
                f = dict(n=n, t=t, v=v)
                return s.format(**f), q.format(**f), a.format(**f), v
        return None

    def passage(self, count):
        used, facts = set(), []
        names = [self.name() for _ in range(max(2, int(count * self.r.uniform(0.35, 0.8))))]
        while len(facts) < count:
            f = self.fact(self.r.choice(names), used)
            facts.append(f) if f else names.append(self.name())
        return facts

    def ask_passage(self, text, question):
        return self.r.choice(["Read this:\n{p}\n\n{q}", "{p}\n\n{q}", "Here are some facts. {p}\n\nQuestion: {q}"]
                             ).format(p=text, q=question)

    def facts_turns(self, count, questions):
        facts = self.passage(count)
        asked = self.r.sample(facts, min(questions, count))
        text = " ".join(f[0] for f in facts)
        turns = [("user", self.ask_passage(text, asked[0][1])), ("assistant", asked[0][2])]
        for f in asked[1:]:
            turns += [("user", f[1]), ("assistant", f[2])]
        return turns, asked

    # -- sums ---------------------------------------------------------------

    def sum_turn(self):
        a, b = self.number(), self.number()
        q = self.r.choice(["What is {a} + {b}?", "{a} + {b} =", "Add {a} and {b}.",
                           "What is the sum of {a} and {b}?", "How much is {a} plus {b}?"])
        return q.format(a=a, b=b), f"{a} + {b} = {a + b}", a + b

    # -- JSON ---------------------------------------------------------------

    def json_turn(self):
        r = self.r
        t = r.choice(self.things)
        fields = {
            "name": self.name(), "age": r.randint(3, 99), "city": self.coined(),
            "job": r.choice(JOBS), "colour": r.choice(COLOURS), "item": t,
            "price": r.randint(1, 999), "animal": r.choice(ANIMALS), "food": r.choice(self.foods)}
        say = {
            "age": ["{name} is {age} years old", "{name}, who is {age}, is here"],
            "city": ["{name} lives in {city}", "{name} comes from {city}"],
            "job": ["{name} works as a {job}", "{name} is a {job}"],
            "colour": ["{name} likes the colour {colour}", "{name} paints everything {colour}"],
            "animal": ["{name} has a {animal}", "{name} keeps a {animal}"],
            "food": ["{name} eats {food}", "{name} loves {food}"],
            "item": ["{name} bought a {item}", "{name} sells a {item}"],
            "price": ["{name} paid {price} coins", "{name} asks for {price} coins"]}
        keys = r.sample(list(say), r.randint(2, 4))
        clauses = [r.choice(say[k]).format(**fields) for k in keys]
        rest = [c.replace(fields["name"], "and " * (i == len(clauses) - 2) + r.choice(["he", "she"]), 1)
                if i or r.random() < 0.5 else c for i, c in enumerate(clauses[1:])]
        text = ", ".join([clauses[0]] + rest) + "."
        wanted = ["name"] + r.sample(keys, r.randint(1, len(keys)))
        if r.random() < 0.3:
            r.shuffle(wanted)
        value = {k: fields[k] for k in wanted}
        body = ", ".join(f'"{k}": ' + (str(v) if isinstance(v, int) else f'"{v}"') for k, v in value.items())
        q = r.choice(["Fill a JSON object with the keys {k} from this sentence: {t}",
                      "{t} Give me JSON with {k}.", "Extract {k} as JSON: {t}"])
        return q.format(k=", ".join(wanted), t=text), "{" + body + "}", value

    # -- stories ------------------------------------------------------------

    def story(self, hero=None, adjective=None, name=None):
        r = self.r
        h, a = hero or r.choice(HEROES), adjective or r.choice(ADJECTIVES)
        h2 = r.choice([x for x in HEROES if x != h])
        a2 = r.choice([x for x in ADJECTIVES if x != a])
        t = r.choice(self.things)
        goal, prize = (x.format(t=t) for x in r.choice(GOALS))
        trouble, better = r.choice(TROUBLES)
        f = dict(h=h, h2=h2)
        called = f" named {name}" if name else (f" named {self.name()}" if r.random() < 0.3 else "")
        art = "an" if a[0] in "aeiou" else "a"
        art2 = "an" if a2[0] in "aeiou" else "a"
        out = [r.choice([f"Once upon a time, {art} {a} {h}{called} lived {r.choice(LANDS)}.",
                         f"Long ago, there was {art} {a} {h}{called} who lived {r.choice(LANDS)}.",
                         f"There once was {art} {a} {h}{called} {r.choice(LANDS)}."]),
               r.choice([f"One {r.choice(['morning', 'day', 'evening'])}, the {h} wanted to {goal}.",
                         f"The {h} had one dream: to {goal}.",
                         f"Every day the {h} hoped to {goal}."]),
               r.choice([f"So the {h} packed a bag and set off.", f"The {h} said goodbye and walked away.",
                         f"Without waiting, the {h} started the journey."]),
               r.choice([f"But soon {trouble}.", f"Then {trouble}.", f"On the way, {trouble}."]),
               f"The {h} {r.choice(FEELINGS)}."]
        if r.random() < 0.8:
            out.append(r.choice([f"Just then {art2} {a2} {h2} came by.", f"Suddenly, {art2} {a2} {h2} appeared.",
                                 f"Not far away lived {art2} {a2} {h2}."]))
            out.append(r.choice(HELP).format(**f))
            out.append(r.choice([f"They worked all day, and at last {better}.", f"After a while, {better}.",
                                 f"Step by step they went on, and by noon {better}."]))
        else:
            out.append(f"The {h} waited and thought, and after a while {better}.")
        out.append(r.choice([f"In the end, the {h} had {prize}.", f"Finally the {h} held {prize} in the sun.",
                             f"At last, {prize} was there, and the {h} jumped for joy."]))
        out.append(r.choice(LESSONS).format(**f))
        return " ".join(out)

    def story_turn(self):
        r = self.r
        h, a, n = r.choice(HEROES), r.choice(ADJECTIVES), self.name() if r.random() < 0.3 else None
        art = "an" if a[0] in "aeiou" else "a"
        who = f"{art} {a} {h}" + (f" named {n}" if n else "")
        q = r.choice(["Tell me a story about {w}.", "Write a story about {w}.", "Tell me a short story about {w}.",
                      "Can you tell a story about {w}?", "I want to hear a story about {w}."]).format(w=who)
        return q, self.story(h, a, n)

    # -- lists and rewrites -------------------------------------------------

    def list_turn(self):
        r = self.r
        kind = r.randrange(6)
        if kind == 0:
            c, n = r.choice(list(KINDS)), r.randint(2, 6)
            items = r.sample([w for w in KINDS[c] if not held_out(w)], n)
            return (r.choice(["List {n} {c}.", "Name {n} {c}.", "Give me a list of {n} {c}."]).format(n=NUMBERS[n], c=c),
                    "\n".join(f"{i + 1}. {w}" for i, w in enumerate(items)))
        words = r.sample(self.things + ANIMALS + [self.name() for _ in range(8)], r.randint(3, 6))
        text = ", ".join(words)
        if kind == 1:
            return f"Write these words in reverse order: {text}", ", ".join(reversed(words))
        if kind == 2:
            return (r.choice(["Number these words: {t}", "Make a numbered list of: {t}"]).format(t=text),
                    "\n".join(f"{i + 1}. {w}" for i, w in enumerate(words)))
        if kind == 3:
            i = r.randrange(len(words))
            order = ["first", "second", "third", "fourth", "fifth", "sixth"][i]
            return f"What is the {order} word of this list? {text}", words[i]
        n, t, t2 = self.name(), r.choice(self.things), r.choice(self.things)
        past, now = r.choice([("walked with", "walks with"), ("carried", "carries"), ("painted", "paints"),
                              ("washed", "washes"), ("lost", "loses"), ("found", "finds")])
        if kind == 4:
            return f"Rewrite in the past tense: {n} {now} the {t} and the {t2}.", f"{n} {past} the {t} and the {t2}."
        m = self.name()
        return (f"Replace {n} by {m}: {n} {past} the {t}, and the {t2} was with {n}.",
                f"{m} {past} the {t}, and the {t2} was with {m}.")

    # -- chat ---------------------------------------------------------------

    def small_talk(self):
        return self.r.choice([
            ("Hello!", "Hello! How can I help you?"), ("Hi there.", "Hi! What can I do for you?"),
            ("Good morning.", "Good morning! How can I help you today?"),
            ("Who are you?", "I am a small demo model that runs inside Troupe."),
            ("What can you do?", "I can tell stories, answer questions about a text, add numbers, fill JSON and write lists."),
            ("Thank you!", "You are welcome!"), ("How are you?", "I am fine, thank you. How can I help you?"),
            ("Goodbye.", "Goodbye! Have a nice day.")])

    def any_turn(self):
        k = self.r.randrange(6)
        return (self.sum_turn()[:2] if k == 0 else self.json_turn()[:2] if k == 1 else
                self.list_turn() if k in (2, 3) else self.small_talk() if k == 4 else self.story_turn())

    def chat_turns(self):
        r = self.r
        me, you = self.name(), self.name()
        turns, facts = [], []
        style = r.randrange(4)
        if style == 0:
            turns.append(("system", f"You are {me}, a helpful assistant."))
            facts.append((r.choice(["What is your name?", "Who are you?"]), f"My name is {me}."))
        elif style == 1:
            turns.append(("system", f"You are a helpful assistant. The user is called {you}."))
            facts.append(("What is my name?", f"Your name is {you}."))
        elif style == 2:
            turns.append(("system", "You are a helpful assistant."))
        if style != 1 and r.random() < 0.6:
            turns += [("user", r.choice([f"My name is {you}.", f"Hi, I am {you}."])), ("assistant", f"Nice to meet you, {you}!")]
            facts.append(("What is my name?", f"Your name is {you}."))
        used = set()
        for _ in range(r.randint(1, 5)):
            k = r.random()
            if k < 0.35:
                f = self.fact(self.name(), used)
                turns += [("user", "Remember this: " + f[0]), ("assistant", "I will remember it.")]
                facts.append(f[1:3])
            elif k < 0.6 and facts:
                q, a = r.choice(facts)
                turns += [("user", q), ("assistant", a)]
            else:
                q, a = self.any_turn()
                turns += [("user", q), ("assistant", a)]
        if facts:
            q, a = r.choice(facts)
            turns += [("user", q), ("assistant", a)]
        return turns

    # -- documents ----------------------------------------------------------

    def document(self):
        """-> [(text, loss weight)]"""
        r = self.r
        k = r.random()
        if k < 0.10:
            return [(self.story(), 1.0), ("<|endoftext|>", 1.0)]
        if k < 0.22:
            turns = [x for _ in range(r.choice([1, 1, 2])) for x in pair(self.story_turn())]
        elif k < 0.40:
            turns, _ = self.facts_turns(r.randint(3, 40), r.randint(1, 6))
        elif k < 0.47:
            turns, _ = self.facts_turns(r.randint(40, 150), r.randint(4, 10))
        elif k < 0.60:
            turns = [x for _ in range(r.choice([1, 2, 4, 8])) for x in pair(self.sum_turn()[:2])]
        elif k < 0.74:
            turns = [x for _ in range(r.choice([1, 1, 2, 3])) for x in pair(self.json_turn()[:2])]
        elif k < 0.85:
            turns = [x for _ in range(r.choice([1, 1, 2, 3])) for x in pair(self.list_turn())]
        else:
            turns = self.chat_turns()
        return chatml(turns, r.random() < 0.15)


def pair(qa):
    return [("user", qa[0]), ("assistant", qa[1])]


def chatml(turns, system=False):
    out = []
    if system and turns[0][0] != "system":
        turns = [("system", "You are a helpful assistant.")] + turns
    for role, text in turns:
        if role == "assistant":
            out += [(f"{START}{role}\n", 0.05), (f"{text}{END}", 1.0), ("\n", 0.05)]
        else:
            out.append((f"{START}{role}\n{text}{END}\n", 0.05))
    out.append(("<|endoftext|>", 0.05))
    return out


def prompt_of(turns):
    return "".join(f"{START}{r}\n{t}{END}\n" for r, t in turns) + f"{START}assistant\n"


def evaluation(seed, per_task, tokens_of):
    """Cases with words that training never used: [{task, chat, expect}].

    `tokens_of(text)` counts tokens, to size the passages.
    """
    import json
    w = Writer(f"evaluate {seed}", unseen=True)
    cases = []

    def add(task, question, answer, expect):
        cases.append(dict(task=task, chat=question, answer=answer, expect=expect))

    for i in range(per_task):
        w.r.seed(f"{seed} {i}")
        facts = w.passage(w.r.randint(3, 28))
        f = w.r.choice(facts)
        text = w.ask_passage(" ".join(x[0] for x in facts), f[1])
        while tokens_of(text) > 500:
            facts = [x for x in facts[:-1]]
            f = w.r.choice(facts)
            text = w.ask_passage(" ".join(x[0] for x in facts), f[1])
        add("facts_512", text, f[2], f[3])
    for i in range(per_task):
        w.r.seed(f"{seed} long {i}")
        facts = w.passage(190)
        lengths = [tokens_of(x[0] + " ") for x in facts]
        while sum(lengths) > 1800:
            facts.pop(), lengths.pop()
        f = w.r.choice(facts)
        add("facts_1800", w.ask_passage(" ".join(x[0] for x in facts), f[1]), f[2], f[3])
    for i in range(per_task):
        w.r.seed(f"{seed} sum {i}")
        q, a, v = w.sum_turn()
        add("sums", q, a, str(v))
        q, a, v = w.json_turn()
        add("json", q, a, json.dumps(v))
        q, a = w.list_turn()
        add("lists_and_rewrites", q, a, a)
    return [c for c in cases if c["task"] != "lists_and_rewrites" or not c["chat"].startswith(
        ("List", "Name", "Give"))]


def right(case, answer):
    """Whether `answer` is right: the value is in it, or it is the JSON asked for."""
    import json
    import re
    answer = answer.strip()
    if case["task"] == "json":
        try:
            return json.loads(answer) == json.loads(case["expect"])
        except ValueError:
            return False
    if case["task"] == "lists_and_rewrites":
        return answer == case["expect"]
    if case["task"] == "sums":
        return re.findall(r"\d+", answer)[-1:] == [case["expect"]]
    return re.search(r"(?<!\w)" + re.escape(case["expect"]) + r"(?!\w)", answer) is not None
