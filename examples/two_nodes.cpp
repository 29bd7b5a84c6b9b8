// A cluster in one program: a front without nodes of its own, and two nodes
// that join it, one for prompts and one for answers. Between them is what would
// be between machines.
#include <troupe/cluster.hpp>
#include <troupe/embedding.hpp>

#include <iostream>
#include <semaphore>

namespace {

troupe::result<std::vector<troupe::token_id>> ask(troupe::runtime& rt) {
  auto request = troupe::text_request(rt, "Once upon a time");
  request.max_tokens = 40;
  request.sampling.seed = 7;
  auto answer = troupe::generate(rt, std::move(request));
  if (!answer)
    return answer.failure();
  return answer->tokens;
}

troupe::result<troupe::node_host> join(const troupe::runtime& front,
                                       troupe::node_role role,
                                       const std::string& name,
                                       std::counting_semaphore<>& ready) {
  auto o = troupe::node_host_options{};
  o.runtime.model = front.model_path();
  o.role = role;
  o.name = name;
  o.join.port = front.cluster_port();
  o.news = [&ready](const std::string& what, const std::string&) {
    if (what == "ready")
      ready.release();
  };
  return troupe::node_host::start(std::move(o));
}

int complain(const troupe::error& e) {
  std::cerr << e.message << "\n";
  return 1;
}

} // namespace

int main(int argc, char** argv) {
  auto options = troupe::runtime_options{};
  options.model = argc > 1 ? argv[1] : "models/troupe-demo.gguf";
  auto alone = troupe::runtime::open(options);
  if (!alone)
    return complain(alone.failure());
  auto expected = ask(*alone);

  options.cluster.emplace().listen.port = 0; // any
  auto front = troupe::runtime::open(options);
  if (!front)
    return complain(front.failure());
  auto ready = std::counting_semaphore<>{0};
  auto red = join(*front, troupe::node_role::prefill, "red", ready);
  auto blue = join(*front, troupe::node_role::decode, "blue", ready);
  if (!red || !blue)
    return complain(red ? blue.failure() : red.failure());
  ready.acquire();
  ready.acquire();
  auto answer = ask(*front);
  if (!answer || !expected)
    return complain(answer ? expected.failure() : answer.failure());

  auto nodes = front->status();
  if (!nodes)
    return complain(nodes.failure());
  std::cout << nodes->nodes.size() << " nodes, " << answer->size()
            << " tokens\n";
  auto same = *answer == *expected;
  std::cout << (same ? "the same as of one\n" : "NOT the same as of one\n");
  return same ? 0 : 1;
}
