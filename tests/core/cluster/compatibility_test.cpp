// Who fits into a cluster.

#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>

#include "core/cluster/compatibility.hpp"

using namespace troupe;

namespace {

join_request request() {
  auto r = join_request{};
  r.name = "d1";
  r.role = node_role::decode;
  r.incarnation = 1;
  r.number = 1;
  r.model = "abc";
  r.layout = {2, 1, 8, 8, kv_dtype::f16};
  r.isa = "x86_64";
  r.threads = 2;
  r.blocks = 8;
  return r;
}

template <class F>
error refusal(F change) {
  auto r = request();
  change(r);
  BOOST_TEST(check_request(r).ok());
  auto cluster = cluster_profile{"abc", request().layout, "x86_64"};
  auto fits = check_compatible(r, cluster);
  return fits ? error{} : fits.failure();
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_compatibility)

BOOST_AUTO_TEST_CASE(a_refusal_names_both_sides) {
  using request = join_request;
  BOOST_TEST(!refusal([](request&) {}));
  auto e = refusal([](request& r) { r.version = 7; });
  BOOST_TEST((e.code == errc::unsupported));
  BOOST_TEST(e.message
             == "protocol version differs: the cluster has 4, node d1 has 7");
  e = refusal([](request& r) { r.model = "xyz"; });
  BOOST_TEST((e.code == errc::layout_mismatch));
  BOOST_TEST(e.message
             == "model differs: the cluster has abc, node d1 has xyz");
  e = refusal([](request& r) { r.layout.dtype = kv_dtype::i8; });
  BOOST_TEST((e.code == errc::layout_mismatch));
  BOOST_TEST(e.message
             == "KV layout differs: the cluster has f16 [2 layers, 1 heads, "
                "8 + 8], node d1 has i8 [2 layers, 1 heads, 8 + 8]");
  e = refusal([](request& r) { r.isa = "aarch64"; });
  BOOST_TEST((e.code == errc::layout_mismatch));
  BOOST_TEST(e.message
             == "ISA class differs: the cluster has x86_64, "
                "node d1 has aarch64");
}

BOOST_AUTO_TEST_CASE(requests_that_make_no_sense_are_refused) {
  auto bad = [](auto change) {
    auto r = request();
    change(r);
    auto checked = check_request(r);
    return !checked && checked.failure().code == errc::invalid_argument;
  };
  using request = join_request;
  BOOST_TEST(!bad([](request&) {}));
  BOOST_TEST(bad([](request& r) { r.name = ""; }));
  BOOST_TEST(bad([](request& r) { r.name = "a\nb"; }));
  BOOST_TEST(bad([](request& r) { r.name = std::string(65, 'a'); }));
  BOOST_TEST(bad([](request& r) { r.role = node_role{9}; }));
  BOOST_TEST(bad([](request& r) { r.model = "\x1b[31m"; }));
  BOOST_TEST(bad([](request& r) { r.isa = ""; }));
  BOOST_TEST(bad([](request& r) { r.layout.dtype = kv_dtype{3}; }));
  BOOST_TEST(bad([](request& r) { r.threads = 0; }));
  BOOST_TEST(bad([](request& r) { r.blocks = 0; }));
}

BOOST_AUTO_TEST_CASE(loads_that_cannot_be) {
  auto fine = [](auto change) {
    auto l = node_load{};
    l.blocks = 8;
    change(l);
    return plausible(l);
  };
  constexpr auto inf = std::numeric_limits<double>::infinity();
  BOOST_TEST(fine([](node_load&) {}));
  BOOST_TEST(fine([](node_load& l) { l.free_blocks = 8; }));
  BOOST_TEST(!fine([](node_load& l) { l.free_blocks = 9; }));
  BOOST_TEST(!fine([](node_load& l) { l.block_tokens = 0; }));
  BOOST_TEST(!fine([](node_load& l) { l.cost.decode_context = inf; }));
  BOOST_TEST(!fine([](node_load& l) { l.cost.base = -1; }));
}

BOOST_AUTO_TEST_SUITE_END()
