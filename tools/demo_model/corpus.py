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
FOODS = ("soup bread cheese rice apples honey cake beans pears noodles plums pie corn olives grapes toast porridge "
         "salad butter carrots cherries dates dumplings eggs figs jam lentils lemons melon milk mushrooms nuts onions "
         "oranges pancakes pasta peaches peas peppers pizza potatoes pudding pumpkin raisins sausages spinach stew "
         "tomatoes waffles walnuts yogurt").split()
THINGS = ("kite lamp boat hat drum chair clock coat box book basket bell bottle bowl brush bucket cart chest coin comb "
          "cup doll door fan flag flute fork glove hammer harp jar jug kettle key knife ladder map mask mirror mug "
          "needle net paddle pan pen pillow pipe plate pot ring rope rug saddle scarf shield shoe spoon sword table "
          "tent towel tray vase violin wagon wheel whistle anchor apron axe bag ball balloon banjo barrel belt bench "
          "bicycle blanket boot bracelet branch brick broom button cage camera candle cane canoe cap card carpet "
          "chain collar compass crayon crown cushion desk diary dish drawer dress engine envelope eraser feather fence "
          "fiddle frame globe guitar handle helmet hook horn jacket kayak lantern leaf lens letter lock magnet marble "
          "medal mitten mop nail napkin necklace notebook oar organ oven package paint parcel pencil phone piano "
          "picture pin pitcher plough pump puppet purse puzzle racket radio raft rake razor ribbon robe rocket ruler "
          "sack sail saw scissors screw shelf shirt shovel sieve skate sled sock sofa sponge stamp statue stool stove "
          "string suitcase tambourine tape telescope thimble ticket tile tool torch toy trophy trumpet trunk tub "
          "umbrella wallet watch window wrench").split()
SPOTS = ["under the bed", "behind the door", "in the attic", "beside the well",
         "on the roof", "in the cellar", "near the bridge", "under the stairs",
         "inside the oven", "behind the barn", "in the garden", "on the top shelf",
         "next to the river", "in the old tree", "at the mill", "under a stone"]
ADJECTIVES = ("brave clever kind lazy shy proud gentle curious tired happy lonely old young "
              "small quiet cheerful stubborn careful hungry wise").split()
HEROES = ("fox bear rabbit owl mouse wolf cat dog hedgehog frog duck horse lion sparrow "
          "turtle squirrel girl boy farmer sailor king queen knight robot dragon penguin tiger monkey elephant "
          "giraffe goat deer bee ant whale seal crow swan witch wizard giant baker teacher princess prince "
          "pirate snail snake").split()
LANDS = ["in a green valley", "by the sea", "at the edge of a dark forest",
         "in a small village", "on a high mountain", "near a wide river",
         "in a busy town", "on a quiet island", "in an old castle", "beside a blue lake"]
GOALS = [("find a lost {t}", "the lost {t}"), ("build a new {t}", "the new {t}"),
         ("win a shiny {t}", "the shiny {t}"), ("bring a {t} to a friend", "the {t}"),
         ("learn how to mend a {t}", "the mended {t}"), ("trade berries for a {t}", "the {t}"),
         ("give grandmother a {t}", "the {t} for grandmother"), ("paint a {t}", "the painted {t}"),
         ("carry a {t} over the hills", "the {t}"), ("show a {t} to the king", "the king's own {t}")]
TROUBLES = [("a storm came and the path was full of water", "the storm had passed"),
            ("a big stone blocked the road", "the stone had rolled away"),
            ("the night fell and it was very dark", "the moon had come out"),
            ("the bridge was broken", "the bridge was whole again"),
            ("a thick fog hid everything", "the fog was gone"),
            ("the wind blew the map away", "the map was back"),
            ("the gate was locked", "the gate stood open"),
            ("snow covered every sign", "the snow had melted"),
            ("the river rose higher and higher", "the river was low again"),
            ("the cart lost a wheel", "the cart rolled as before"),
            ("the fire went out", "a new fire was burning"),
            ("nobody in the town would open a door", "every door stood open")]
HELP = ["\"I can help you,\" said the {h2}. \"We will do it together.\"",
        "\"Do not worry,\" said the {h2}. \"I know another way.\"",
        "The {h2} smiled and said, \"Two are stronger than one.\"",
        "\"Follow me,\" whispered the {h2}. \"I have done this before.\"",
        "\"What a day!\" laughed the {h2}. \"Let us begin at once.\"",
        "The {h2} listened and said, \"I was lost once too.\"",
        "\"Take my hand,\" said the {h2}. \"Nobody should be alone here.\""]
LESSONS = ["From that day on, they were the best of friends.",
           "The {h} learned that it is good to ask for help.",
           "That night the {h} slept well and dreamed of new adventures.",
           "And everyone in the land told the tale for many years.",
           "The {h} never forgot how kind a stranger can be.",
           "They shared a warm supper and laughed until morning.",
           "And whenever it rained, the {h} smiled and thought of that day.",
           "The {h} told everyone that the {h2} was a true friend.",
           "Since then the {h} is never afraid of a long road."]
FEELINGS = ["was afraid", "felt very sad", "did not give up", "sat down to think",
            "almost turned back", "began to cry", "took a deep breath", "sang a little song to be brave",
            "looked up at the sky", "counted to ten and went on"]
KINDS = {
    "animals": ANIMALS, "colours": COLOURS, "jobs": JOBS, "foods": FOODS, "things": THINGS}
FIRST_NAMES = (
    "Ada Alan Alice Amir Anna Ben Bella Bob Carla Carlos Chloe Clara Daniel David Diana Dora Elena Ella Emil Emma Erik "
    "Eva Felix Fiona Frank Freya George Grace Greta Hana Harry Helen Henry Ida Igor Iris Isaac Ivan Jack James Jane "
    "John Julia Kai Karl Kate Kim Lara Laura Lena Leo Lily Lisa Lucy Luis Luna Marco Maria Mark Martha Mary Max Maya "
    "Mia Mike Mila Mira Mona Nina Noah Nora Olga Olin Oliver Omar Oscar Otto Pablo Paul Peter Petra Rosa Ruth Sam Sara "
    "Simon Sofia Stella Susan Tara Tim Tom Uma Vera Victor Walter Wendy Will Yuki Zoe").split()
CITIES = ("Athens Berlin Bern Boston Cairo Chicago Delhi Dublin Geneva Hamburg Hanoi Kyoto Lagos Lima Lisbon London "
          "Lyon Madrid Milan Moscow Munich Naples Nairobi Oslo Oxford Paris Porto Prague Quito Riga Rome Seoul Sofia "
          "Sydney Tokyo Tunis Turin Vienna Warsaw York Zurich").split()
NUMBERS = "zero one two three four five six seven eight nine ten".split()


# The words whose pieces coined words are made of.
KNOWN = [w.lower() for w in THINGS + FOODS + ANIMALS + JOBS + COLOURS + HEROES + ADJECTIVES + FIRST_NAMES + CITIES]
KNOWN_SET = set(KNOWN)
RUDE = "shit fuck cunt nigg fagg slut whor rapis bitch".split()  # chance spells them, too
LETTERS = ("b c ch ck ct d f g gh h j k l ll m n ng p ph qu r rt s sc sh ss st t th tt v w x y z".split(),
           "a e i o u a e i o u ou ie ei au oy ue y".split())


def held_out(word):
    """A tenth of all words is never used in training."""
    return zlib.crc32(word.lower().encode()) % 10 == 0


def a_or_an(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


# Shares of the kinds of documents: stories, chats of stories, short passages,
# long passages, sums, JSON, lists and rewrites, conversations.
MIX = (0.05, 0.10, 0.22, 0.12, 0.12, 0.16, 0.11, 0.12)
STORY = 0.3  # the loss weight of a story, which is long and free


class Writer:
    def __init__(self, seed, unseen=False):
        self.r = random.Random(seed)
        self.unseen = unseen
        self.things = [t for t in THINGS if held_out(t) == unseen]
        self.foods = [t for t in FOODS if held_out(t) == unseen] or FOODS
        self.firsts = [t for t in FIRST_NAMES if held_out(t) == unseen]
        self.cities = [t for t in CITIES if held_out(t) == unseen]

    # -- words --------------------------------------------------------------

    def coined(self, low=2, high=3):
        """A word that nobody knows: of syllables, of halves of known words, or
        of letters, so that every piece of a word is copied now and then."""
        r = self.r
        while True:
            k = r.random()
            if k < 0.5:
                n = r.randint(low, high)
                w = "".join(r.choice(ONSETS) + r.choice(VOWELS) for _ in range(n)) + r.choice(CODAS)
                if r.random() < 0.15:
                    w = w[1:] if w[1:2] and w[1] in "aeiou" else w
            elif k < 0.85:
                a, b = r.choice(KNOWN), r.choice(KNOWN)
                w = a[:r.randint(1, len(a) - 1)] + b[r.randint(1, len(b) - 1):]
            else:
                w = "".join(r.choice(LETTERS[i % 2]) for i in range(r.randint(3, 8)))
            if (3 <= len(w) <= 11 and w not in KNOWN_SET and held_out(w) == self.unseen
                    and not any(rude in w for rude in RUDE)):
                return w.capitalize()

    def name(self):
        if self.r.random() < 0.2:
            return self.r.choice(self.firsts)
        return self.coined(1, 2) if self.r.random() < 0.5 else self.coined(2, 3)

    def like(self, name):
        """Another name that starts or ends as `name` does."""
        for _ in range(20):
            n = self.r.randint(2, max(2, len(name) - 1))
            other = self.coined(1, 2)
            w = name[:n] + other[-2:] if self.r.random() < 0.6 else other[:2] + name[-n:]
            if w != name and held_out(w) == self.unseen and not any(rude in w.lower() for rude in RUDE):
                return w
        return self.name()

    def city(self):
        return self.r.choice(self.cities) if self.r.random() < 0.15 else self.coined()

    def word(self, words, coined=0.12):
        """One of `words`, or at times a word that nobody knows."""
        return self.coined().lower() if self.r.random() < coined else self.r.choice(words)

    def thing(self):
        return self.word(self.things, 0.3)

    def food(self):
        return self.word(self.foods, 0.3)

    def number(self, digits=None):
        d = digits or self.r.choice([1, 2, 2, 3, 3])
        return self.r.randint(0 if d == 1 else 10 ** (d - 1), 10 ** d - 1)

    # -- facts --------------------------------------------------------------

    def fact(self, n, used, kinds=range(9), things=()):
        """-> statement, question, answer, value"""
        r = self.r
        for _ in range(20):
            kind = r.choice(kinds)
            t = r.choice(things) if things else self.thing()
            if kind == 0:
                v = self.city()
                k, s = (n, "live"), r.choice(["{n} lives in {v}.", "The home of {n} is in {v}."])
                q, a = r.choice(["Where does {n} live?", "In which place does {n} live?"]), "{n} lives in {v}."
            elif kind == 1:
                v = self.word(COLOURS)
                k, s = (n, "col", t), r.choice(["{n}'s {t} is {v}.", "{n} owns a {t} that is {v}."])
                q, a = r.choice(["What colour is {n}'s {t}?", "Which colour does {n}'s {t} have?"]), "{n}'s {t} is {v}."
            elif kind == 2:
                v = self.word(JOBS)
                k, s = (n, "job"), r.choice(["{n} works as {av}.", "{n} is {av}."])
                q, a = r.choice(["What is {n}'s job?", "What does {n} work as?"]), "{n} works as {av}."
            elif kind == 3:
                v, t = self.name(), self.word(ANIMALS)
                k, s = (n, "pet", t), r.choice(["{n} has {at} named {v}.", "{n} keeps {at} called {v}."])
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
                v = self.food()
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
                f = dict(n=n, t=t, v=v, at=a_or_an(t), av=a_or_an(v))
                return s.format(**f), q.format(**f), a.format(**f), v
        return None

    def passage(self, count):
        used, facts = set(), []
        names = [self.name() for _ in range(max(2, int(count * self.r.uniform(0.35, 0.8))))]
        if self.r.random() < 0.5:  # names that are easily confused
            names = [self.like(self.r.choice(names)) if self.r.random() < 0.25 else n for n in names]
        kinds = self.r.sample(range(9), self.r.randint(1, 3)) if self.r.random() < 0.2 else range(9)
        things = [self.thing() for _ in range(self.r.randint(2, 20))] if self.r.random() < 0.5 else ()
        while len(facts) < count:
            f = self.fact(self.r.choice(names), used, kinds, things)
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
        fields = {
            "name": self.name(), "age": r.randint(3, 99), "city": self.city(),
            "job": self.word(JOBS), "colour": self.word(COLOURS), "item": self.thing(),
            "price": r.randint(1, 999), "animal": self.word(ANIMALS), "food": self.food()}
        say = {
            "age": ["{name} is {age} years old", "{name}, who is {age}, is here"],
            "city": ["{name} lives in {city}", "{name} comes from {city}"],
            "job": ["{name} works as {a_job}", "{name} is {a_job}"],
            "colour": ["{name} likes the colour {colour}", "{name} paints everything {colour}"],
            "animal": ["{name} has {an_animal}", "{name} keeps {an_animal}"],
            "food": ["{name} eats {food}", "{name} loves {food}"],
            "item": ["{name} bought {an_item}", "{name} sells {an_item}"],
            "price": ["{name} paid {price} coins", "{name} asks for {price} coins"]}
        articles = {k: a_or_an(fields[k.split("_")[1]]) for k in ("an_animal", "a_job", "an_item")}
        keys = r.sample(list(say), r.randint(2, 4))
        clauses = [r.choice(say[k]).format(**fields, **articles) for k in keys]
        pronoun = r.choice(["he", "she"])
        rest = [c.replace(fields["name"], "and " * (i == len(clauses) - 2) + pronoun, 1)
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
        h, a = hero or self.word(HEROES, 0.06), adjective or r.choice(ADJECTIVES)
        h2 = r.choice([x for x in HEROES if x != h])
        a2 = r.choice([x for x in ADJECTIVES if x != a])
        t = self.word(self.things, 0.03)
        goal, prize = (x.format(t=t) for x in r.choice(GOALS))
        trouble, better = r.choice(TROUBLES)
        f = dict(h=h, h2=h2)
        called = f" named {name}" if name else (f" named {self.name()}" if r.random() < 0.3 else "")
        art = a_or_an(a)
        art2 = a_or_an(a2)
        out = [r.choice([f"Once upon a time, {art} {h}{called} lived {r.choice(LANDS)}.",
                         f"Long ago, there was {art} {h}{called} who lived {r.choice(LANDS)}.",
                         f"There once was {art} {h}{called} {r.choice(LANDS)}."]),
               r.choice([f"One {r.choice(['morning', 'day', 'evening'])}, the {h} wanted to {goal}.",
                         f"The {h} had one dream: to {goal}.",
                         f"Every day the {h} hoped to {goal}."]),
               r.choice([f"So the {h} packed a bag and set off.", f"The {h} said goodbye and walked away.",
                         f"Without waiting, the {h} started the journey."]),
               r.choice([f"But soon {trouble}.", f"Then {trouble}.", f"On the way, {trouble}."]),
               f"The {h} {r.choice(FEELINGS)}."]
        if r.random() < 0.8:
            out.append(r.choice([f"Just then {art2} {h2} came by.", f"Suddenly, {art2} {h2} appeared.",
                                 f"Not far away lived {art2} {h2}."]))
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
        h, a, n = self.word(HEROES, 0.06), r.choice(ADJECTIVES), self.name() if r.random() < 0.3 else None
        who = f"{a_or_an(a)} {h}" + (f" named {n}" if n else "")
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
        words = []
        while len(words) < 3 or r.random() < 0.6 and len(words) < 6:
            w = r.choice([self.thing, self.name, lambda: self.word(ANIMALS)])()
            words += [w] * (w not in words)
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
        n, t, t2 = self.name(), self.thing(), self.thing()
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
        kind = r.choices(range(8), MIX)[0]
        if kind == 0:
            return [(self.story(), STORY), ("<|endoftext|>", STORY)]
        if kind == 1:
            turns = [x for _ in range(r.choice([1, 1, 2])) for x in pair(self.story_turn())]
            return chatml(turns, r.random() < 0.15, STORY)
        if kind == 2:
            turns, _ = self.facts_turns(int(2 * 20 ** r.random()), r.choice([1, 2, 4, 6, 8, 12, 16]))
        elif kind == 3:
            # What does not fit into the context is cut off by the reader.
            turns, _ = self.facts_turns(r.randint(35, 145), r.randint(8, 24))
        elif kind == 4:
            turns = [x for _ in range(r.choice([1, 2, 4, 8])) for x in pair(self.sum_turn()[:2])]
        elif kind == 5:
            turns = [x for _ in range(r.choice([1, 1, 2, 3, 4])) for x in pair(self.json_turn()[:2])]
        elif kind == 6:
            turns = [x for _ in range(r.choice([1, 1, 2, 3])) for x in pair(self.list_turn())]
        else:
            turns = self.chat_turns()
        return chatml(turns, r.random() < 0.15)


def pair(qa):
    return [("user", qa[0]), ("assistant", qa[1])]


def chatml(turns, system=False, answers=1.0):
    """The segments of a conversation; the answers' tokens weigh `answers`."""
    out = []
    if system and turns[0][0] != "system":
        turns = [("system", "You are a helpful assistant.")] + turns
    for role, text in turns:
        if role == "assistant":
            out += [(f"{START}{role}\n", 0.05), (f"{text}{END}", answers), ("\n", 0.05)]
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
        facts = w.passage(w.r.randint(3, 40))
        f = w.r.choice(facts)
        text = w.ask_passage(" ".join(x[0] for x in facts), f[1])
        while tokens_of(text) > 500:
            facts = [x for x in facts[:-1]]
            f = w.r.choice(facts)
            text = w.ask_passage(" ".join(x[0] for x in facts), f[1])
        add("facts_512", text, f[2], f[3])
    for i in range(per_task):
        w.r.seed(f"{seed} long {i}")
        facts = w.passage(240)
        while tokens_of(" ".join(x[0] for x in facts)) > 1800:
            facts.pop()
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
