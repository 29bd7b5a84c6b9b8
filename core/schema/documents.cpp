#include "core/schema/documents.hpp"

#include "core/schema/metaschemas.hpp"
#include "core/schema/uri_reference.hpp"

namespace troupe::schema {

namespace {

std::string_view without_fragment(std::string_view url) {
  return url.substr(0, url.find('#'));
}

// References are resolved against it, and many may be.
constexpr auto longest_url = size_t{4096};

bool is_string(const json_tape& tape, uint32_t node) {
  return node != 0 && tape[node].kind == json_kind::string;
}

} // namespace

error documents::refuse(place p, std::string reason, errc code) const {
  auto& d = all_[p.document];
  return fail(code, "schema " + d.url + "#" + d.tape.pointer_to(p.node) + ": "
                        + std::move(reason));
}

result<uint32_t> documents::add(std::string url, std::string text) {
  auto index = static_cast<uint32_t>(all_.size());
  auto& d = all_.emplace_back();
  roots_.emplace_back();
  pointers_.emplace_back();
  d.url = std::string{without_fragment(url)};
  d.text = std::make_unique<std::string>(std::move(text));
  if (auto ok = d.tape.parse(*d.text, bounds_); !ok)
    return fail(ok.failure().code,
                "schema " + d.url + ": " + ok.failure().message);
  auto otherwise = dialect{version_, all_words};
  auto first =
      add_resource({index, 0}, static_cast<uint32_t>(-1), d.url, otherwise);
  if (!first)
    return first;
  if (auto ok = scan(index); !ok)
    return ok.failure();
  return first;
}

result<uint32_t> documents::add_resource(place root, uint32_t parent,
                                         std::string url,
                                         const dialect& otherwise) {
  auto words = dialect_of(root, otherwise);
  if (!words)
    return words.failure();
  auto index = static_cast<uint32_t>(resources_.size());
  auto [known, added] = urls_.emplace(url, index);
  if (!added)
    return refuse(root, "another schema has the URL " + url
                            + ", too; give each its own $id");
  auto own = parent == static_cast<uint32_t>(-1);
  resources_.push_back({std::move(url), root, own ? index : parent, *words});
  roots_[root.document].emplace(root.node, index);
  return index;
}

// -- what the keywords mean ---------------------------------------------------

result<dialect> documents::dialect_of(place p, const dialect& otherwise) {
  auto& tape = all_[p.document].tape;
  if (tape[p.node].kind != json_kind::object)
    return otherwise;
  auto named = tape.member(p.node, "$schema");
  if (named == 0)
    return otherwise;
  if (!is_string(tape, named))
    return refuse({p.document, named}, "$schema must be a URL in a string");
  return dialect_named(tape[named].view(), {p.document, named});
}

result<dialect> documents::dialect_named(std::string_view name, place p) {
  auto url = without_fragment(name);
  if (url == "http://json-schema.org/draft-07/schema"
      || url == "https://json-schema.org/draft-07/schema")
    return dialect{draft::draft7, all_words};
  if (url == "https://json-schema.org/draft/2020-12/schema")
    return dialect{draft::draft2020, all_words};
  auto text = text_of(url);
  if (text.empty())
    return refuse(p,
                  "$schema is " + std::string{name}
                      + ", which is neither draft-07 nor 2020-12 nor one of "
                        "the supplied documents",
                  errc::unsupported);
  auto meta = json_tape{};
  if (auto ok = meta.parse(text, bounds_); !ok)
    return fail(ok.failure().code,
                "schema " + std::string{url} + ": " + ok.failure().message);
  return read_vocabularies(meta, p);
}

// Of a metaschema that someone else wrote.
result<dialect> documents::read_vocabularies(const json_tape& meta, place p) {
  auto is_object = meta[0].kind == json_kind::object;
  auto schema = is_object ? meta.member(0, "$schema") : 0;
  if (is_string(meta, schema)
      && meta[schema].view().find("draft-07") != std::string_view::npos)
    return dialect{draft::draft7, all_words};
  auto list = is_object ? meta.member(0, "$vocabulary") : 0;
  if (list == 0)
    return dialect{draft::draft2020, all_words};
  if (meta[list].kind != json_kind::object)
    return refuse(p, "the $vocabulary of this metaschema is no object");
  auto words = dialect{draft::draft2020, 0};
  for (auto key = list + 1; key < meta[list].end; key = meta.behind(key + 1)) {
    auto known = vocabulary_named(meta[key].view());
    words.words |= known;
    if (known == 0 && meta[key + 1].kind == json_kind::yes)
      return refuse(p,
                    "this metaschema requires the vocabulary "
                        + std::string{meta[key].view()}
                        + ", which is not known here",
                    errc::unsupported);
  }
  return words;
}

std::string_view documents::text_of(std::string_view url) const {
  if (auto at = supplied_.find(url); at != supplied_.end())
    return at->second;
  for (auto& m : metaschemas())
    if (m.url == url)
      return m.text;
  return {};
}

// -- names --------------------------------------------------------------------

result<void> documents::scan(uint32_t document) {
  auto first = roots_[document].begin()->second;
  unscanned_.assign(1, {0, first});
  while (!unscanned_.empty()) {
    auto at = unscanned_.back();
    unscanned_.pop_back();
    if (all_[document].tape[at.node].kind != json_kind::object)
      continue;
    if (auto ok = scan_names(document, at); !ok)
      return ok;
    scan_children(document, at);
  }
  return {};
}

// `at` is in another resource after this if the schema has a URL of its own.
result<void> documents::scan_names(uint32_t document, unscanned& at) {
  if (auto ok = scan_id(document, at); !ok)
    return ok;
  if (resources_[at.resource].words.version == draft::draft7)
    return {};
  auto& tape = all_[document].tape;
  for (auto name : {"$anchor", "$dynamicAnchor"}) {
    auto node = tape.member(at.node, name);
    if (node == 0)
      continue;
    if (!is_string(tape, node))
      return refuse({document, node}, "an anchor must be a string");
    auto text = tape[node].view();
    if (auto ok = add_anchor({document, at.node}, at.resource, text); !ok)
      return ok;
    if (name[1] == 'd')
      dynamic_.push_back({text, at.resource, at.node});
  }
  return {};
}

result<void> documents::scan_id(uint32_t document, unscanned& at) {
  auto& tape = all_[document].tape;
  auto id = tape.member(at.node, "$id");
  auto old = resources_[at.resource].words.version == draft::draft7;
  if (id == 0 || (old && tape.member(at.node, "$ref") != 0))
    return {};
  auto here = place{document, id};
  if (!is_string(tape, id))
    return refuse(here, "$id must be a URL in a string");
  auto text = tape[id].view();
  if (old && text.starts_with('#') && text.size() > 1)
    return add_anchor({document, at.node}, at.resource, text.substr(1));
  auto parts = split_uri(text);
  if (!old && parts.fragment && !parts.fragment->empty())
    return refuse(here, "$id must not have a fragment; use $anchor");
  auto url = std::string{
      without_fragment(resolve_uri(resources_[at.resource].url, text))};
  if (url == resources_[at.resource].url)
    return {};
  if (url.size() > longest_url)
    return refuse(here, "a URL has 4096 bytes at most", errc::unsupported);
  if (at.node == 0) {
    // Also known by the URL with which it was supplied.
    auto& root = resources_[at.resource];
    if (auto [known, added] = urls_.emplace(url, at.resource);
        !added && known->second != at.resource)
      return refuse(here, "another schema has the URL " + url + ", too");
    root.url = std::move(url);
    return {};
  }
  auto words = resources_[at.resource].words;
  auto r =
      add_resource({document, at.node}, at.resource, std::move(url), words);
  if (!r)
    return r.failure();
  at.resource = *r;
  return {};
}

result<void> documents::add_anchor(place p, uint32_t resource,
                                   std::string_view name) {
  auto [known, added] = anchors_.emplace(std::pair{resource, name}, p.node);
  if (!added && known->second != p.node)
    return refuse(p, "another schema has the anchor " + std::string{name}
                         + ", too");
  return {};
}

void documents::scan_children(uint32_t document, unscanned at) {
  auto& tape = all_[document].tape;
  auto words = resources_[at.resource].words;
  auto push = [&](uint32_t node) { unscanned_.push_back({node, at.resource}); };
  auto push_items = [&](uint32_t list) {
    if (tape[list].kind == json_kind::array)
      for (auto i = list + 1; i < tape[list].end; i = tape.behind(i))
        push(i);
  };
  for (auto key = at.node + 1; key < tape[at.node].end;
       key = tape.behind(key + 1)) {
    auto* info = find_keyword(tape[key].view(), words);
    auto value = key + 1;
    auto is_array = tape[value].kind == json_kind::array;
    switch (info ? info->what : holds::nothing) {
    case holds::nothing:
      break;
    case holds::schema:
      push(value);
      break;
    case holds::list:
      push_items(value);
      break;
    case holds::schema_or_list:
      is_array ? push_items(value) : push(value);
      break;
    case holds::map:
    case holds::map_of_some:
      if (tape[value].kind == json_kind::object)
        for (auto k = value + 1; k < tape[value].end; k = tape.behind(k + 1))
          push(k + 1);
    }
  }
}

// -- references ---------------------------------------------------------------

result<uint32_t> documents::resource_named(const std::string& url) {
  if (auto known = urls_.find(url); known != urls_.end())
    return known->second;
  auto text = text_of(url);
  if (text.empty())
    return fail(errc::invalid_argument,
                "there is no document with the URL " + url
                    + ": nothing is fetched, so it must be supplied");
  return add(url, std::string{text});
}

result<place> documents::resolve(uint32_t from, std::string_view reference) {
  auto absolute = resolve_uri(resources_[from].url, reference);
  auto parts = split_uri(absolute);
  auto r = resource_named(std::string{without_fragment(absolute)});
  if (!r)
    return r.failure();
  auto root = resources_[*r].root;
  auto fragment = percent_decode(parts.fragment.value_or(""));
  if (fragment.empty())
    return root;
  if (fragment.front() == '/') {
    auto node =
        pointers_[root.document].find(tape(root.document), fragment, root.node);
    if (node == json_tape::nowhere)
      return fail(errc::invalid_argument, "nothing is at " + absolute);
    return place{root.document, node};
  }
  auto at = anchors_.find(std::pair{*r, std::string_view{fragment}});
  if (at == anchors_.end())
    return fail(errc::invalid_argument,
                "there is no anchor " + fragment + " in "
                    + (resources_[*r].url.empty() ? "this schema"
                                                  : resources_[*r].url));
  return place{root.document, at->second};
}

std::string_view documents::dynamic_anchor_at(place p) const {
  auto& t = tape(p.document);
  auto is_new = at(resource_of(p)).words.version != draft::draft7;
  if (!is_new || t[p.node].kind != json_kind::object)
    return {};
  auto node = t.member(p.node, "$dynamicAnchor");
  return is_string(t, node) ? t[node].view() : std::string_view{};
}

uint32_t documents::resource_of(place p) const {
  auto& roots = roots_[p.document];
  auto& tape = all_[p.document].tape;
  auto r = std::prev(roots.upper_bound(p.node))->second;
  while (resources_[r].parent != r
         && tape.behind(resources_[r].root.node) <= p.node)
    r = resources_[r].parent;
  return r;
}

} // namespace troupe::schema
