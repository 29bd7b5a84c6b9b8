#include "runtime/replay/stage.hpp"

#include <caf/actor_proxy.hpp>
#include <caf/detail/dynamic_message_data.hpp>

#include "actors/protocol/add_message_types.hpp"
#include "actors/tracing/message_facts.hpp"
#include "actors/tracing/saved_content.hpp"
#include "actors/tracing/state_teller.hpp"
#include "actors/tracing/tracer.hpp"

namespace troupe {

namespace {

class stage_config : public caf::actor_system_config {
public:
  stage_config() {
    troupe::add_message_types(*this);
    // Nothing runs by itself, and no time passes.
    set("scheduler.policy", caf::atom("testing"));
    set("logger.console", caf::atom("none"));
  }
};

} // namespace

// Any actor, as others know it: what it is sent is caught.
class replay_stage::stand_in : public caf::actor_proxy {
public:
  using caf::actor_proxy::enqueue;

  stand_in(caf::actor_config& cfg, replay_stage* stage)
      : caf::actor_proxy(cfg), stage_(stage) {}

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) override {
    stage_->captured(caf::strong_actor_ptr{ctrl()}, std::move(what), {});
  }
  void kill_proxy(caf::execution_unit* ctx, caf::error why) override {
    cleanup(std::move(why), ctx);
  }

private:
  replay_stage* stage_;
};

replay_stage::replay_stage()
    : config_(std::make_unique<stage_config>()),
      system_(std::make_unique<caf::actor_system>(*config_)),
      proxies_(std::make_unique<caf::proxy_registry>(
          *system_, static_cast<caf::proxy_registry::backend&>(*this))),
      unit_(system_.get()) {
  // The recording may be of this very process, or of one of the same number:
  // its actors are none of this system's all the same.
  const_cast<caf::node_id&>(system_->node()) =
      caf::make_node_id(0, caf::node_id::default_data::host_id_type{});
  unit_.proxy_registry_ptr(proxies_.get());
  guard_.emplace(static_cast<tracing::seam&>(*this));
}

replay_stage::~replay_stage() {
  // What ends now says so to nobody.
  for (auto& [who, a] : actors_) {
    feeding_ = true;
    a->enqueue(caf::make_mailbox_element(
                   nullptr, caf::make_message_id(), caf::no_stages,
                   caf::exit_msg{{}, caf::exit_reason::kill}),
               &unit_);
    feeding_ = false;
    done_ = perform({});
  }
  done_ = {};
  actors_.clear();
  proxies_->clear();
  done_ = {};
  proxies_.reset();
  system_->await_actors_before_shutdown(false);
}

// -- actors -------------------------------------------------------------------

bool replay_stage::has_ended(const actor_name& who) const {
  auto i = actors_.find(who);
  return i == actors_.end()
         || i->second->get()->getf(caf::abstract_actor::is_terminated_flag);
}

std::string replay_stage::state_of(const actor_name& who) const {
  auto i = actors_.find(who);
  if (i == actors_.end() || has_ended(who))
    return {};
  auto* t = dynamic_cast<tracing::state_teller*>(i->second->get());
  return t != nullptr ? t->state_json() : std::string{};
}

caf::strong_actor_ptr replay_stage::handle(const actor_name& who) {
  if (who.id == 0)
    return nullptr;
  return proxies_->get_or_put(who.node, who.id);
}

caf::strong_actor_ptr replay_stage::make_proxy(caf::node_id node,
                                               caf::actor_id id) {
  if (id == 0) // a handle that was null
    return nullptr;
  auto cfg = caf::actor_config{&unit_};
  return caf::make_actor<stand_in, caf::strong_actor_ptr>(
      id, std::move(node), system_.get(), cfg, this);
}

// -- steps --------------------------------------------------------------------

replay_stage::outcome replay_stage::perform(const replay_step& step) {
  step_ = &step;
  clocks_ = spawns_ = values_ = 0;
  done_ = {};
  while (!unit_.jobs.empty()) {
    auto* job = unit_.jobs.front();
    unit_.jobs.pop_front();
    switch (job->resume(&unit_, 1)) {
    case caf::resumable::resume_later:
      unit_.jobs.push_back(job);
      break;
    case caf::resumable::shutdown_execution_unit:
      break;
    default:
      caf::intrusive_ptr_release(job);
    }
  }
  step_ = nullptr;
  done_.asked_too_little = clocks_ < step.clock.size()
                           || spawns_ < step.spawned.size()
                           || values_ < step.values.size();
  return std::exchange(done_, {});
}

replay_stage::outcome replay_stage::set_up(const actor_name& who,
                                           const replay_step& step) {
  node_ = who.node;
  return perform(step);
}

replay_stage::outcome replay_stage::feed(const actor_name& who,
                                         caf::mailbox_element_ptr what,
                                         const replay_step& step) {
  auto a = actors_.at(who);
  node_ = who.node;
  feeding_ = true;
  a->enqueue(std::move(what), &unit_);
  feeding_ = false;
  return perform(step);
}

// -- the seam -----------------------------------------------------------------

void replay_stage::captured(const caf::strong_actor_ptr& to,
                            caf::mailbox_element_ptr what,
                            std::chrono::nanoseconds) {
  if (to)
    done_.outputs.push_back({{to->node(), to->id()}, std::move(what)});
}

caf::actor_clock::time_point replay_stage::now() {
  using point = caf::actor_clock::time_point;
  if (step_ == nullptr)
    return point{};
  if (clocks_ == step_->clock.size()) {
    done_.asked_too_much = "the clock";
    return step_->clock.empty()
               ? point{}
               : point{std::chrono::nanoseconds{step_->clock.back()}};
  }
  return point{std::chrono::nanoseconds{step_->clock[clocks_++]}};
}

caf::strong_actor_ptr replay_stage::spawned() {
  if (step_ == nullptr || spawns_ == step_->spawned.size()) {
    done_.asked_too_much = "an actor that it spawns";
    return handle({node_, ~caf::actor_id{0}});
  }
  return handle({node_, step_->spawned[spawns_++]});
}

std::span<const std::byte> replay_stage::value() {
  if (step_ == nullptr || values_ == step_->values.size()) {
    done_.asked_too_much = "what it shares with others";
    return {};
  }
  return step_->values[values_++];
}

// -- contents -----------------------------------------------------------------

result<caf::message> replay_stage::read(const_bytes payload) {
  auto source = caf::binary_deserializer{
      &unit_, reinterpret_cast<const char*>(payload.data()), payload.size()};
  auto n = uint16_t{0};
  if (source(n))
    return fail(errc::bad_file, "a message of the recording has no content");
  auto values = std::vector<caf::type_erased_value_ptr>{};
  for (auto i = uint16_t{0}; i < n; ++i) {
    auto number = uint16_t{0};
    if (source(number))
      return fail(errc::bad_file, "a message of the recording is not whole");
    auto* facts = tracing::facts_of(number);
    auto value = facts != nullptr
                     ? system_->types().make_value(std::string{facts->name})
                     : nullptr;
    if (!value)
      return fail(errc::bad_file, "the recording holds a message of type "
                                      + std::to_string(number)
                                      + ", which this build does not know");
    if (value->load(source))
      return fail(errc::bad_file, "a " + std::string{facts->name}
                                      + " of the recording is not one of this "
                                        "build's");
    values.push_back(std::move(value));
  }
  auto data =
      caf::make_counted<caf::detail::dynamic_message_data>(std::move(values));
  return caf::message{caf::message::data_ptr{std::move(data)}};
}

std::vector<char> replay_stage::write(const caf::type_erased_tuple& content,
                                      bool full_kv) {
  return tracing::saved_content(content, &unit_, full_kv);
}

result<caf::message>
replay_stage::carried_over(const caf::type_erased_tuple& content) {
  auto bytes = tracing::saved_content(content, &unit_, true);
  return read(std::as_bytes(std::span{bytes.data(), bytes.size()}));
}

} // namespace troupe
