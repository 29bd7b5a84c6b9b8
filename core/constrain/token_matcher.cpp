#include "core/constrain/token_matcher.hpp"

#include <algorithm>

namespace troupe::constrain {

namespace {

void set(std::span<uint64_t> words, token_id id) {
  auto i = static_cast<size_t>(id);
  words[i / 64] |= uint64_t{1} << (i % 64);
}

bool is_set(std::span<const uint64_t> words, token_id id) {
  auto i = static_cast<size_t>(id);
  return (words[i / 64] >> (i % 64) & 1) != 0;
}

void clear(std::span<uint64_t> words, token_id id) {
  auto i = static_cast<size_t>(id);
  words[i / 64] &= ~(uint64_t{1} << (i % 64));
}

} // namespace

token_matcher::token_matcher(std::shared_ptr<const token_automaton> a)
    : automaton_(std::move(a)),
      machine_(automaton_->compiled().rules(),
               static_cast<uint32_t>(automaton_->vocabulary().longest())) {
  machine_.start(state_);
}

// -- tokens
// -----------------------------------------------------------------------

bool token_matcher::step(token_id token, grammar_state& to) {
  auto keep = automaton_->compiled().has_unique();
  machine_.begin_token();
  auto now = state_;
  for (auto c : vocabulary().piece(token)) {
    // Before the step: where the byte ends a text, what follows begins there.
    if (keep)
      machine_.text() += c;
    if (!machine_.step(now, static_cast<uint8_t>(c), to))
      return false;
    std::swap(now, to);
  }
  std::swap(now, to);
  return true;
}

void token_matcher::undo(const frame_pool::mark& pool, size_t text) {
  machine_.pool().release(pool);
  machine_.text().resize(text);
}

bool token_matcher::accept(token_id token) {
  auto& v = vocabulary();
  if (finished_ || !v.in_range(token))
    return false;
  auto pool = machine_.pool().top();
  auto text = machine_.text().size();
  auto ends = v.is_end(token);
  auto next = grammar_state{};
  if (ends ? !state_.done : v.piece(token).empty())
    return false;
  if (!ends && !step(token, next)) {
    undo(pool, text);
    return false;
  }
  if (before_.size() < most_rollback)
    before_.emplace_back();
  before_[tokens_++ % most_rollback] = {
      ends ? state_ : std::exchange(state_, std::move(next)), pool, text,
      finished_};
  finished_ = ends;
  return true;
}

bool token_matcher::allows(token_id token) {
  auto& v = vocabulary();
  if (finished_ || !v.in_range(token))
    return false;
  if (v.is_end(token))
    return state_.done;
  if (v.piece(token).empty())
    return false;
  auto pool = machine_.pool().top();
  auto text = machine_.text().size();
  auto to = grammar_state{};
  auto may = step(token, to);
  undo(pool, text);
  return may;
}

bool token_matcher::rollback(size_t n) {
  if (n > tokens_ || n > most_rollback)
    return false;
  for (; n > 0; --n) {
    auto& last = before_[--tokens_ % most_rollback];
    state_ = last.state;
    finished_ = last.finished;
    undo(last.pool, last.text);
  }
  return true;
}

size_t token_matcher::memory_bytes() const {
  auto bytes = machine_.pool().memory_bytes() + machine_.text().capacity();
  for (auto& b : before_)
    bytes += sizeof(b) + b.state.items.capacity() * sizeof(grammar_item);
  return bytes;
}

// -- masks
// ------------------------------------------------------------------------

void token_matcher::mask(std::span<uint64_t> words) {
  if (finished_) {
    std::fill(words.begin(), words.end(), 0);
    return;
  }
  auto key = machine_.key_of(state_);
  if (auto known = automaton_->find(key)) {
    known->write(words);
  } else {
    std::fill(words.begin(), words.end(), 0);
    fill(words);
    automaton_->keep(key, std::make_shared<const token_mask>(words));
  }
  if (automaton_->compiled().has_unique())
    drop_repeated(words);
}

void token_matcher::fill(std::span<uint64_t> words) {
  if (state_.done)
    for (auto id : vocabulary().ends())
      set(words, id);
  walk(vocabulary().rest(), false, words);
  if (!add_plain(words))
    walk(vocabulary().plain_tree(), true, words);
}

uint32_t token_matcher::plain_room(const grammar_item& item) const {
  auto& g = automaton_->compiled();
  auto plain = g.plain(item.position);
  if (plain == compiled_grammar::plainness::none)
    return 0;
  auto most = g.rules().rule_of(item.position).most;
  if (plain == compiled_grammar::plainness::all || most == grammar::endless)
    return token_vocabulary::most_plain;
  return std::min(token_vocabulary::most_plain,
                  most - std::min(most, item.count));
}

bool token_matcher::takes_all_plain(const grammar_state& s) const {
  return std::any_of(s.items.begin(), s.items.end(), [&](auto& item) {
    return plain_room(item) == token_vocabulary::most_plain;
  });
}

// Whether a plain token may begin there; a text that may end has a place beside
// it that wants its quote.
bool token_matcher::begins_plain(const grammar_item& item) const {
  auto edges = automaton_->compiled().rules().edges(item.position);
  return std::any_of(edges.begin(), edges.end(), [](auto& e) {
    auto quotes = e.first == e.last && (e.first == '"' || e.first == '\\');
    return e.last >= 0x20 && !quotes;
  });
}

// Whether all plain tokens have been seen to, which is so where a place goes
// on with all of them; or with some, and no other place with any.
bool token_matcher::add_plain(std::span<uint64_t> words) const {
  auto room = token_vocabulary::most_plain;
  if (!takes_all_plain(state_)) {
    auto* only = static_cast<const grammar_item*>(nullptr);
    for (auto& item : state_.items) {
      if (!begins_plain(item))
        continue;
      if (only)
        return false;
      only = &item;
    }
    if (!only)
      return true;
    room = plain_room(*only);
  }
  if (room == 0)
    return false;
  auto some = vocabulary().plain(room);
  for (auto i = size_t{0}; i < words.size(); ++i)
    words[i] |= some[i];
  return true;
}

// Goes down a tree as far as bytes are accepted; where all its tokens are
// plain, as far as it must.
void token_matcher::walk(const token_tree& tree, bool all_plain,
                         std::span<uint64_t> words) {
  using light_step = grammar_machine::light_step;
  struct level {
    uint32_t end;
    bool light; // took nothing from the pool
    frame_pool::mark pool;
  };
  auto nodes = tree.nodes();
  auto text = machine_.text().size();
  auto start = machine_.pool().top();
  auto levels = std::vector<level>{};
  path_.resize(std::max(path_.size(), vocabulary().longest() + 1));
  machine_.begin_token();
  machine_.set_lax(true);
  path_[0] = state_;
  for (auto i = uint32_t{1}; i < nodes.size();) {
    for (; !levels.empty() && i >= levels.back().end; levels.pop_back())
      if (!levels.back().light)
        machine_.pool().release(levels.back().pool);
    auto& n = nodes[i];
    auto& from = path_[levels.size()];
    auto& to = path_[levels.size() + 1];
    auto now = level{n.end, true, {}};
    auto done = from.items.size() == 1 ? machine_.step_lightly(from, n.byte, to)
                                       : light_step::unknown;
    if (done == light_step::unknown) {
      now.light = false;
      now.pool = machine_.pool().top();
      // Lax, the machine wants to know of the text how long it is.
      machine_.text().resize(text + levels.size() + 1);
      if (machine_.step(from, n.byte, to))
        done = light_step::taken;
      else
        machine_.pool().release(now.pool);
    }
    if (done != light_step::taken) {
      i = n.end;
      continue;
    }
    auto whole = all_plain && takes_all_plain(to);
    for (auto id : whole ? tree.tokens_from(i) : tree.tokens_at(i))
      set(words, id);
    levels.push_back(now);
    i = whole ? n.end : i + 1;
  }
  machine_.set_lax(false);
  undo(start, text);
}

// The mask does not know which texts have been there; tokens that would end
// one of those again are tried.
void token_matcher::drop_repeated(std::span<uint64_t> words) {
  auto& g = automaton_->compiled().rules();
  auto& text = machine_.text();
  for (auto i = size_t{0}; i < state_.items.size(); ++i) {
    auto item = state_.items[i];
    if (!g.rule_of(item.position).unique)
      continue;
    auto begun = text.substr(item.texts);
    // Trying tokens adds to the pool, and takes it away again.
    auto frames = std::vector<grammar_item>{};
    for (auto& f : machine_.pool().frames(item.frames))
      frames.push_back(f);
    for (auto& f : frames)
      for (auto list = f.texts; list != 0;) {
        auto known = machine_.pool().text_at(list);
        list = known.before;
        auto whole = text.substr(known.begin, known.end - known.begin);
        if (whole.size() > begun.size() && whole.starts_with(begun))
          drop_repeated(std::string_view{whole}.substr(begun.size()), words);
      }
  }
}

void token_matcher::drop_repeated(std::string_view rest,
                                  std::span<uint64_t> words) {
  for (auto* tree : {&vocabulary().plain_tree(), &vocabulary().rest()}) {
    auto n = tree->find(rest);
    if (n == token_tree::none)
      continue;
    for (auto id : tree->tokens_from(n))
      if (is_set(words, id) && !allows(id))
        clear(words, id);
  }
}

// -- bytes that must come
// -----------------------------------------------------------

std::string token_matcher::forced(size_t most) {
  auto out = std::string{};
  auto keep = automaton_->compiled().has_unique();
  auto pool = machine_.pool().top();
  auto text = machine_.text().size();
  auto now = state_, next = grammar_state{};
  while (!finished_ && !now.done && out.size() < most) {
    auto only = machine_.only_byte(now);
    if (only < 0)
      break;
    machine_.begin_token();
    if (keep)
      machine_.text() += static_cast<char>(only);
    if (!machine_.step(now, static_cast<uint8_t>(only), next))
      break;
    out += static_cast<char>(only);
    std::swap(now, next);
  }
  undo(pool, text);
  return out;
}

} // namespace troupe::constrain
