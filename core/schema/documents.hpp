#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/schema/json_pointer.hpp"
#include "core/schema/json_tape.hpp"
#include "core/schema/keywords.hpp"

namespace troupe::schema {

/// A value in one of the documents.
struct place {
  uint32_t document = 0;
  uint32_t node = 0;
};

/// A document that has schemas, and the text that its tape refers to.
struct document {
  std::string url; ///< by which it was found; "" for the first if it has none
  std::unique_ptr<std::string> text;
  json_tape tape;
};

/// A schema that has a URL of its own, up to the next that has.
struct resource {
  std::string url;
  place root;
  uint32_t parent = 0; ///< in the same document; itself if it is all of it
  dialect words;
};

/// A `$dynamicAnchor`.
struct dynamic_anchor {
  std::string_view name;
  uint32_t resource = 0;
  uint32_t node = 0;
};

/// Documents by URL: those that were supplied, and the metaschemas. Nothing is
/// ever fetched.
using supplied_documents = std::map<std::string, std::string, std::less<>>;

/// The documents of a schema, and what a reference means in them.
class documents {
public:
  documents(const supplied_documents& supplied, const tape_bounds& bounds,
            draft version)
      : supplied_(supplied), bounds_(bounds), version_(version) {}

  /// Reads a document and finds the names in it; its first resource is
  /// returned. "schema URL#/pointer: reason" with errc::invalid_argument, or
  /// errc::unsupported for a `$schema` that is not known here.
  result<uint32_t> add(std::string url, std::string text);

  /// What `reference` names, written in this resource.
  result<place> resolve(uint32_t resource, std::string_view reference);

  /// The innermost resource that a value is in.
  uint32_t resource_of(place p) const;

  const json_tape& tape(uint32_t document) const { return all_[document].tape; }
  const resource& at(uint32_t resource) const { return resources_[resource]; }
  const std::vector<dynamic_anchor>& dynamic_anchors() const {
    return dynamic_;
  }

  /// The `$dynamicAnchor` of a schema; empty if it has none.
  std::string_view dynamic_anchor_at(place p) const;

  /// "schema URL#/pointer: reason"
  error refuse(place p, std::string reason,
               errc code = errc::invalid_argument) const;

  /// Hands over the documents. REQUIRES: nothing else is called after this.
  std::deque<document> take() { return std::move(all_); }

private:
  struct unscanned {
    uint32_t node;
    uint32_t resource;
  };

  result<dialect> dialect_of(place schema, const dialect& otherwise);
  result<dialect> dialect_named(std::string_view url, place schema);
  result<dialect> read_vocabularies(const json_tape& meta, place schema);
  std::string_view text_of(std::string_view url) const;
  result<uint32_t> add_resource(place root, uint32_t parent, std::string url,
                                const dialect& otherwise);
  result<void> scan(uint32_t document);
  result<void> scan_names(uint32_t document, unscanned& at);
  result<void> scan_id(uint32_t document, unscanned& at);
  void scan_children(uint32_t document, unscanned at);
  result<void> add_anchor(place p, uint32_t resource, std::string_view name);
  result<uint32_t> resource_named(const std::string& url);

  const supplied_documents& supplied_;
  tape_bounds bounds_;
  draft version_;
  std::deque<document> all_;
  std::vector<resource> resources_;
  std::map<std::string, uint32_t> urls_;
  std::map<std::pair<uint32_t, std::string_view>, uint32_t> anchors_;
  std::vector<dynamic_anchor> dynamic_;
  std::vector<unscanned> unscanned_;
  /// Of each document: the resources' nodes, ascending, and the resources.
  std::vector<std::map<uint32_t, uint32_t>> roots_;
  std::deque<pointer_index> pointers_; ///< of each document
};

} // namespace troupe::schema
