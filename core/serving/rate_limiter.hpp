#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/serving/rate_limiter_limits.hpp"

namespace troupe {

struct rate_level;

/// Token buckets for requests, tokens of prompts and of answers, and a bound on
/// requests under way, of an organisation, a key and a model in it. All of them
/// admit a request, or none of them is changed.
///
/// - Over any window, what a tenant spends is at most its burst and what its
///   rate gives in the window (rate_bucket says why), also while threads
///   compete and clocks differ between them: no time counts twice.
/// - Each organisation has a lock, and organisations share nothing else. A
///   decision is about up to twelve counters that change together; one
///   uncontended lock costs less than a compare-exchange for each of them, and
///   nothing has to be taken back halfway, which others would see as a refusal.
/// - Times are arguments. Any thread may call anything.
class rate_limiter {
  struct organisation;

public:
  /// A tenant, found once, for instance for each connection and model.
  class handle {
  public:
    const tenant& who() const { return who_; }

  private:
    friend rate_limiter;
    tenant who_;
    std::shared_ptr<organisation> organisation_;
    rate_level* key_ = nullptr;
    rate_level* model_ = nullptr;
    uint64_t generation_ = 0; ///< of the table that it was found in
  };

  /// What an admitted request holds. Gives back what was not spent when it
  /// goes. REQUIRES: goes before the limiter; one thread at a time.
  class reservation {
  public:
    reservation() = default;
    reservation(reservation&& other) noexcept
        : organisation_(std::exchange(other.organisation_, nullptr)),
          levels_(other.levels_), held_(other.held_), taken_(other.taken_) {}
    reservation& operator=(reservation&& other) noexcept {
      if (this == &other)
        return *this;
      refund();
      organisation_ = std::exchange(other.organisation_, nullptr);
      levels_ = other.levels_;
      held_ = other.held_;
      taken_ = other.taken_;
      return *this;
    }
    ~reservation() { refund(); }

    explicit operator bool() const { return organisation_ != nullptr; }

    /// The prompt is being computed: request and prompt are spent.
    void begin(time_point now);

    /// How many of `n` more tokens of the answer may be given out: what is
    /// reserved, and beyond that what the buckets have. The stream ends where
    /// this is less than `n`. Spends them, and begins.
    uint32_t take_output(time_point now, uint32_t n = 1);

    /// The answer is complete, with `output_tokens` in all, those taken
    /// included. More than were reserved become a debt.
    void settle(time_point now, uint32_t output_tokens);

    /// The request was cancelled or has failed. Harmless when it is settled.
    void refund() {
      if (organisation_)
        give_back();
    }

  private:
    friend rate_limiter;
    using amounts = std::array<uint64_t, 3>; ///< by `limited`

    void give_back();
    void spend(const amounts& of);

    organisation* organisation_ = nullptr; ///< null: holds nothing
    std::array<rate_level*, 3> levels_{};  ///< null: none there
    amounts held_{};
    uint32_t taken_ = 0; ///< of the answer
  };

  enum class verdict : uint8_t { admitted, wait, never };

  struct admission {
    verdict is = verdict::never;
    reservation held; ///< if admitted
    /// If it must wait: no earlier than this can it be admitted, or an estimate
    /// if it waits for other requests to end.
    duration retry_after = {};
    /// Whose limit it was, and of what; unknown tenants have none.
    bool unknown_tenant = false;
    limit_level level = limit_level::organisation;
    limited what = limited::requests;
  };

  /// All buckets are full. REQUIRES: check(table).
  explicit rate_limiter(limits_table table, time_point now);
  ~rate_limiter();
  rate_limiter(const rate_limiter&) = delete;
  rate_limiter& operator=(const rate_limiter&) = delete;

  /// Never fails; requests of tenants that are refused are.
  handle resolve(tenant who, time_point now);

  /// Admits a request with a prompt of `prompt_tokens` that may give out
  /// `max_tokens`. `never`: no time will do, for instance because it is larger
  /// than a burst. Follows changes of the table, for which it updates `who`.
  admission reserve(handle& who, time_point now, uint32_t prompt_tokens,
                    uint32_t max_tokens);

  /// What `who` has left, for headers.
  limits_status status(handle& who, time_point now);

  /// Replaces the table, while requests are under way. Buckets keep what they
  /// have, as far as it fits; what becomes limited begins full. No change if
  /// the table is not valid.
  result<void> configure(limits_table table, time_point now);

  /// All organisations that are known or remembered, by name.
  std::vector<organisation_status> organisations(time_point now);

  /// Unknown organisations that are remembered.
  size_t remembered() const;

  /// When to ask again if only an end of other requests helps.
  static constexpr auto busy_retry = duration{std::chrono::seconds{1}};
  /// Longer names are of nobody.
  static constexpr auto longest_name = size_t{256};

private:
  using organisation_ptr = std::shared_ptr<organisation>;

  struct unknown_entry {
    std::string name;
    organisation_ptr state;
  };
  using unknown_entries = std::list<unknown_entry>;

  /// The lock of its organisation, once the handle is up to date.
  std::unique_lock<std::mutex> locked(handle& who, time_point now);

  // REQUIRES, all of these: `mutex_` is held.
  handle resolve_locked(tenant who, time_point now);
  organisation_ptr find(const std::string& name, time_point now);
  organisation_ptr remember(const std::string& name, time_point now);
  bool forget_one(time_point now);
  organisation_ptr make(const tenant_limits& limits, time_point now) const;
  organisation_ptr make_unknown(time_point now) const;
  organisation_ptr taken_out(const std::string& name);
  void apply(time_point now);
  void apply_to_unknown(time_point now);

  mutable std::mutex mutex_; ///< taken before that of an organisation
  limits_table table_;
  uint64_t generation_ = 0;
  /// Those that are named, and those that were and are not yet full.
  std::map<std::string, organisation_ptr, std::less<>> organisations_;
  unknown_entries unknown_; ///< those found longest ago first
  std::map<std::string, unknown_entries::iterator, std::less<>> by_name_;
  organisation_ptr shared_; ///< of unknown tenants without buckets of their own
  organisation_ptr nobody_; ///< of those that are refused
};

} // namespace troupe
