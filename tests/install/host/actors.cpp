#include <troupe/actors.hpp>

#include <caf/all.hpp>
#include <iostream>

int main(int, char** argv) {
  auto config = caf::actor_system_config{};
  troupe::add_message_types(config);
  troupe::use_quiet_clock(config);
  auto system = caf::actor_system{config};
  auto options = troupe::runtime_options{};
  options.model = argv[1];
  auto actors = troupe::spawn_runtime(system, options);
  if (!actors) {
    std::cerr << actors.failure().message << "\n";
    return 1;
  }
  auto request = troupe::generate_request{};
  request.prompt = actors->alive.text().encode("Once upon a time");
  request.max_tokens = 8;
  request.ignore_end = true;
  auto self = caf::scoped_actor{system};
  auto me = caf::actor_cast<troupe::client_actor>(caf::actor{self.ptr()});
  self->send(actors->gateway, troupe::submit{request, me});
  auto tokens = size_t{0};
  auto over = false;
  self->receive_while([&] { return !over; })(
      [&](const troupe::admitted&) {},
      [&](const troupe::token_event& e) { tokens += e.tokens.size(); },
      [&](const troupe::finish_event&) { over = true; },
      [&](caf::error&) { over = true; });
  std::cout << tokens << " tokens\n";
}
