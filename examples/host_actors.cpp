// A program with an actor system of its own: its actors talk to Troupe's
// gateway as to any other actor.
#include <troupe/actors.hpp>
#include <troupe/embedding.hpp>

#include <caf/all.hpp>
#include <iostream>

namespace {

// Asks one question, puts the answer together, and quits with its end.
caf::behavior asker(caf::event_based_actor* self, troupe::gateway_actor gateway,
                    troupe::generate_request request) {
  auto client = caf::actor_cast<troupe::client_actor>(caf::actor{self});
  self->request(gateway, std::chrono::seconds{10},
                troupe::submit{std::move(request), client})
      .then([](const troupe::admitted&) {},
            [self](const caf::error& e) {
              std::cerr << troupe::from_caf(e).message << "\n";
              self->quit();
            });
  auto text = std::make_shared<std::string>();
  return {
      [text](const troupe::token_event& e) { *text += e.text; },
      [self, text](const troupe::finish_event& e) {
        std::cout << *text << e.text << "\n"
                  << e.completion_tokens << " tokens\n";
        self->quit();
      },
  };
}

} // namespace

int main(int argc, char** argv) {
  auto config = caf::actor_system_config{};
  troupe::add_message_types(config);
  troupe::use_quiet_clock(config);
  auto system = caf::actor_system{config};

  auto options = troupe::runtime_options{};
  options.model = argc > 1 ? argv[1] : "models/troupe-demo.gguf";
  // Goes before the system does, and its actors with it.
  auto troupe_actors = troupe::spawn_runtime(system, std::move(options));
  if (!troupe_actors) {
    std::cerr << troupe_actors.failure().message << "\n";
    return 1;
  }
  auto request =
      troupe::chat_request(troupe_actors->alive, "What is 347 + 285?");
  if (!request)
    return 1;
  request->sampling.temperature = 0;
  request->max_tokens = 64;
  auto a = system.spawn(asker, troupe_actors->gateway, std::move(*request));
  auto self = caf::scoped_actor{system};
  self->wait_for(a);
}
