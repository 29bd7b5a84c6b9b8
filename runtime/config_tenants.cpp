#include "runtime/config_tenants.hpp"

#include <set>

namespace troupe::config {

namespace {

void read_limit(section& s, const std::string& key, const std::string& where,
                std::optional<rate_limit>& to) {
  inner(s, key, where + "." + key, [&](section& l) {
    auto r = rate_limit{};
    r.per = std::chrono::minutes{1};
    if (!l.has("amount"))
      l.complain(l.path("amount") + " is missing");
    l.number("amount", 0, largest_amount, r.amount);
    r.burst = r.amount;
    l.number("burst", 0, largest_amount, r.burst);
    l.milliseconds("per_ms", r.per);
    to = r;
  });
}

void read_limits(section& s, const std::string& key, const std::string& where,
                 tenant_limits& to) {
  inner(s, key, where, [&](section& l) {
    read_limit(l, "requests", where, to.requests);
    read_limit(l, "input_tokens", where, to.input_tokens);
    read_limit(l, "output_tokens", where, to.output_tokens);
    if (l.has("concurrency"))
      l.number("concurrency", 0, 1u << 20, to.concurrency.emplace());
  });
}

// An object whose keys are names.
template <class Read>
void read_names(section& s, const std::string& key, const std::string& where,
                Read read) {
  inner(s, key, where, [&](section& all) {
    all.each([&](const std::string& name) {
      auto at = where + "." + name.substr(0, 64);
      inner(all, name, at, [&](section& one) { read(one, name, at); });
    });
  });
}

} // namespace

void read_tenants(section& s, limits_table& to) {
  s.choice<unknown_tenants>("unknown",
                            {{"refuse", unknown_tenants::refuse},
                             {"share", unknown_tenants::share},
                             {"each", unknown_tenants::each}},
                            to.unknown);
  read_limits(s, "unknown_limits", "tenants.unknown_limits", to.unknown_limits);
  s.number("most_unknown", 0, 1u << 20, to.most_unknown);
  read_names(
      s, "organisations", "tenants.organisations",
      [&](section& o, const std::string& name, const std::string& at) {
        auto& organisation = to.organisations[name];
        read_limits(o, "limits", at + ".limits", organisation.limits);
        read_names(
            o, "keys", at + ".keys",
            [&](section& k, const std::string& key, const std::string& where) {
              auto& entry = organisation.keys[key];
              read_limits(k, "limits", where + ".limits", entry.limits);
              read_names(k, "models", where + ".models",
                         [&](section& m, const std::string& model,
                             const std::string& place) {
                           read_limits(m, "limits", place + ".limits",
                                       entry.models[model]);
                         });
            });
      });
}

void read_keys(section& s, const nlohmann::json& j, std::vector<api_key>& to) {
  if (!j.is_array())
    return s.complain(s.path("keys") + " must be a list");
  auto ids = std::set<std::string>{};
  for (size_t i = 0; i < j.size(); ++i) {
    auto where = "keys[" + std::to_string(i) + "]";
    auto one = section{j[i], where};
    auto k = api_key{};
    auto hash = std::string{};
    one.text("organisation", k.organisation);
    one.text("name", k.name);
    one.text("hash", hash);
    auto read = parse_key_hash(hash);
    if (k.organisation.empty() || k.name.empty())
      one.complain("\"" + where
                   + "\" takes \"organisation\", \"name\" and \"hash\"");
    else if (!read)
      one.complain(one.path("hash") + ": " + read.failure().message);
    else if (k.organisation.size() > longest_tenant_name
             || k.name.size() > longest_tenant_name)
      one.complain("\"" + where + "\" has a name of more than "
                   + std::to_string(longest_tenant_name) + " bytes");
    else if (!ids.insert(read->id).second)
      one.complain(one.path("hash") + " is of a key that is there twice");
    else
      k.hash = *read;
    if (auto why = one.finish(); !why.empty())
      return s.complain(std::move(why));
    to.push_back(std::move(k));
  }
}

} // namespace troupe::config
