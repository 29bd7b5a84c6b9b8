#include "core/api/response_format.hpp"

#include "core/text/bounded_json.hpp"

namespace troupe::api {

namespace {

using nlohmann::json;

// A schema's properties come in the order in which they are written, which
// `json` does not keep.
std::string schema_text(std::string_view body) {
  using ordered = nlohmann::ordered_json;
  static const auto at =
      ordered::json_pointer{"/response_format/json_schema/schema"};
  auto j = ordered::parse(body, nullptr, false);
  return j.contains(at) ? j.at(at).dump() : std::string{"null"};
}

void read_form_text(object_reader& r, const json& format, const char* key,
                    answer_form& to) {
  auto& text = member(format, key);
  if (!text.is_string())
    return r.complain(std::string{"response_format."} + key,
                      "must be a string");
  to.text = text.get_ref<const std::string&>();
}

} // namespace

void read_form(object_reader& r, std::string_view body, common_request& to) {
  using enum answer_form::kind;
  auto* j = r.take("response_format");
  if (!j)
    return;
  auto type = string_of(*j, "type");
  auto& form = to.form;
  if (type == "json_object") {
    form.what = json_object;
  } else if (type == "json_schema") {
    form.what = json_schema;
    auto& wrapped = member(*j, "json_schema");
    if (!wrapped.is_object() || !wrapped.contains("schema"))
      return r.complain("response_format.json_schema",
                        "must be an object with a \"schema\"");
    form.text = schema_text(body);
  } else if (type == "regex") {
    form.what = regex;
    read_form_text(r, *j, "pattern", form);
  } else if (type == "grammar") {
    form.what = grammar;
    read_form_text(r, *j, "grammar", form);
  } else if (type != "text") {
    r.complain("response_format.type", "must be text, json_object, "
                                       "json_schema, regex or grammar");
  }
  if (!form.is_free() && to.ignore_end)
    r.complain("ignore_eos", "cannot go with a response_format");
  if (!form.is_free() && !to.stop.empty())
    r.complain("stop", "cannot go with a response_format");
}

} // namespace troupe::api
