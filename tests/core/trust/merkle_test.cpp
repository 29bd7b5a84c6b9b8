#include "core/trust/merkle_proof.hpp"

#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"

using namespace troupe;

namespace {

// The vectors of Certificate Transparency's implementations.
const auto leaves =
    std::vector<std::string>{"",
                             "00",
                             "10",
                             "2021",
                             "3031",
                             "40414243",
                             "5051525354555657",
                             "606162636465666768696a6b6c6d6e6f"};
const auto roots = std::vector<std::string>{
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

struct proof_vector {
  uint64_t first; ///< a leaf, or the size of the old tree
  uint64_t size;
  std::vector<std::string> path;
};

const auto inclusions = std::vector<proof_vector>{
    {0, 1, {}},
    {0,
     8,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {5,
     8,
     {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2,
     3,
     {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
    {1,
     5,
     {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}}};
const auto consistencies = std::vector<proof_vector>{
    {1, 1, {}},
    {1,
     8,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {6,
     8,
     {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2,
     5,
     {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}}};

sha256_digest digest(std::string_view hex) {
  auto d = sha256_digest{};
  BOOST_REQUIRE(from_hex(hex, d));
  return d;
}

std::string hex(const sha256_digest& d) {
  return to_hex(as_bytes(d));
}

sha256_digest leaf_of(const std::string& hex) {
  auto bytes = std::vector<uint8_t>(hex.size() / 2);
  BOOST_REQUIRE(from_hex(hex, bytes));
  return merkle_leaf(std::as_bytes(std::span{bytes}));
}

merkle_tree vector_tree() {
  auto t = merkle_tree{};
  for (auto& l : leaves)
    t.add(leaf_of(l));
  return t;
}

std::vector<sha256_digest> some_leaves(uint64_t n) {
  auto all = std::vector<sha256_digest>{};
  for (uint64_t i = 0; i < n; ++i)
    all.push_back(sha256_of(std::as_bytes(std::span{&i, 1})));
  return all;
}

// MTH of the RFC, as it stands there.
sha256_digest plain_root(std::span<const sha256_digest> d) {
  if (d.empty())
    return sha256_of({});
  if (d.size() == 1)
    return d[0];
  auto k = size_t{1};
  while (2 * k < d.size())
    k *= 2;
  return merkle_node(plain_root(d.first(k)), plain_root(d.subspan(k)));
}

} // namespace

BOOST_AUTO_TEST_SUITE(merkle)

BOOST_AUTO_TEST_CASE(roots_are_those_of_certificate_transparency) {
  auto f = merkle_frontier{};
  BOOST_TEST(
      hex(f.root())
      == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  for (size_t i = 0; i < leaves.size(); ++i) {
    f.add(leaf_of(leaves[i]));
    BOOST_TEST(hex(f.root()) == roots[i]);
    BOOST_TEST(hex(*vector_tree().root(i + 1)) == roots[i]);
  }
}

BOOST_AUTO_TEST_CASE(inclusion_proofs_are_those_of_certificate_transparency) {
  auto t = vector_tree();
  for (auto& v : inclusions) {
    auto path = t.inclusion(v.first, v.size);
    BOOST_REQUIRE(path.has_value());
    BOOST_REQUIRE(path->size() == v.path.size());
    for (size_t i = 0; i < path->size(); ++i)
      BOOST_TEST(hex((*path)[i]) == v.path[i]);
    BOOST_TEST(verify_inclusion(t.leaf(v.first), v.first, v.size, *path,
                                digest(roots[v.size - 1])));
  }
}

BOOST_AUTO_TEST_CASE(consistency_proofs_are_those_of_certificate_transparency) {
  auto t = vector_tree();
  for (auto& v : consistencies) {
    auto path = t.consistency(v.first, v.size);
    BOOST_REQUIRE(path.has_value());
    BOOST_REQUIRE(path->size() == v.path.size());
    for (size_t i = 0; i < path->size(); ++i)
      BOOST_TEST(hex((*path)[i]) == v.path[i]);
    BOOST_TEST(verify_consistency(v.first, v.size, *path,
                                  digest(roots[v.first - 1]),
                                  digest(roots[v.size - 1])));
  }
}

BOOST_AUTO_TEST_CASE(frontiers_and_trees_are_the_plain_recursion) {
  auto all = some_leaves(130);
  auto f = merkle_frontier{};
  auto t = merkle_tree{};
  for (size_t n = 0; n <= all.size(); ++n) {
    auto expected = plain_root(std::span{all}.first(n));
    BOOST_REQUIRE((f.root() == expected));
    BOOST_REQUIRE((t.root(n) == expected));
    BOOST_REQUIRE(f.peaks().size() == merkle_peaks(n));
    BOOST_REQUIRE((merkle_frontier{n, f.peaks()} == f));
    if (n < all.size()) {
      f.add(all[n]);
      t.add(all[n]);
    }
  }
}

BOOST_AUTO_TEST_CASE(proofs_hold_for_what_they_are_of_alone) {
  auto t = merkle_tree{};
  for (auto& l : some_leaves(33))
    t.add(l);
  for (uint64_t size = 1; size <= 33; ++size) {
    auto root = *t.root(size);
    for (uint64_t i = 0; i < size; ++i) {
      auto path = *t.inclusion(i, size);
      BOOST_REQUIRE(verify_inclusion(t.leaf(i), i, size, path, root));
      for (uint64_t other = 0; other <= size; ++other)
        BOOST_REQUIRE(other == i
                      || !verify_inclusion(t.leaf(i), other, size, path, root));
      BOOST_REQUIRE(!verify_inclusion(root, i, size, path, root) || size == 1);
      for (auto& p : path) {
        p[0] ^= 1;
        BOOST_REQUIRE(!verify_inclusion(t.leaf(i), i, size, path, root));
        p[0] ^= 1;
      }
      path.push_back(root);
      BOOST_REQUIRE(!verify_inclusion(t.leaf(i), i, size, path, root));
    }
    for (uint64_t old = 1; old <= size; ++old) {
      auto path = *t.consistency(old, size);
      auto old_root = *t.root(old);
      BOOST_REQUIRE(verify_consistency(old, size, path, old_root, root));
      if (old == size)
        continue;
      BOOST_REQUIRE(!verify_consistency(old, size, path, root, root));
      BOOST_REQUIRE(!verify_consistency(old, size, path, old_root, old_root));
      BOOST_REQUIRE(!verify_consistency(0, size, path, old_root, root));
      for (auto& p : path) {
        p[31] ^= 128;
        BOOST_REQUIRE(!verify_consistency(old, size, path, old_root, root));
        p[31] ^= 128;
      }
      path.pop_back();
      BOOST_REQUIRE(!verify_consistency(old, size, path, old_root, root));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_in_the_tree_has_no_proof) {
  auto t = vector_tree();
  BOOST_TEST(!t.root(9).has_value());
  BOOST_TEST(!t.inclusion(8, 8).has_value());
  BOOST_TEST(!t.inclusion(0, 9).has_value());
  BOOST_TEST(!t.consistency(0, 8).has_value());
  BOOST_TEST(!t.consistency(5, 4).has_value());
  BOOST_TEST(!t.consistency(5, 9).has_value());
}

// A later file of a log has only the frontier of what was before.
BOOST_AUTO_TEST_CASE(a_tree_without_its_first_leaves_proves_the_others) {
  auto all = some_leaves(40);
  auto whole = merkle_tree{};
  for (auto& l : all)
    whole.add(l);
  auto before = merkle_frontier{};
  for (uint64_t first = 0; first < all.size(); ++first) {
    auto part = merkle_tree{before};
    for (auto i = first; i < all.size(); ++i)
      part.add(all[i]);
    for (auto size = first; size <= all.size(); ++size) {
      BOOST_REQUIRE((part.root(size) == whole.root(size)));
      for (auto i = first; i < size; ++i)
        BOOST_REQUIRE((part.inclusion(i, size) == whole.inclusion(i, size)));
      for (auto old = std::max<uint64_t>(first, 1); old <= size; ++old)
        BOOST_REQUIRE(
            (part.consistency(old, size) == whole.consistency(old, size)));
    }
    // Of those that are missing nothing is made up.
    for (uint64_t i = 0; i < first; ++i)
      if (auto path = part.inclusion(i, all.size()))
        BOOST_REQUIRE((path == whole.inclusion(i, all.size())));
    before.add(all[first]);
  }
}

BOOST_AUTO_TEST_SUITE_END()
