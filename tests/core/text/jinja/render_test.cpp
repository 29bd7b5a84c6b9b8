#include "core/text/jinja/render.hpp"

#include <boost/test/unit_test.hpp>

#include "core/text/jinja/parser.hpp"

using namespace troupe;
using namespace troupe::jinja;

namespace {

text trusted(std::string_view s) {
  return {s, true};
}

// `u` is "user text", from a message.
result<text> run(const std::string& source, const bounds& b = {}) {
  auto root = parse(source);
  if (!root)
    return root.failure();
  return render(**root, {{"u", text{"User Text", false}}}, {}, b);
}

// Trusted bytes as they are, others as "_".
std::string origins(const std::string& source) {
  auto got = run(source);
  BOOST_REQUIRE_MESSAGE(got.ok(), (got.ok() ? "" : got.failure().message));
  auto out = std::string(got->size(), '_');
  for (auto [begin, end] : got->trusted_runs())
    out.replace(begin, end - begin, got->bytes(), begin, end - begin);
  return out;
}

error failure(const std::string& source, const bounds& b = {}) {
  auto got = run(source, b);
  BOOST_REQUIRE_MESSAGE(!got.ok(), source.substr(0, 100));
  return got.failure();
}

std::string times(std::string_view s, size_t n) {
  auto out = std::string{};
  for (auto i = size_t{0}; i < n; ++i)
    out += s;
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_jinja)

BOOST_AUTO_TEST_CASE(each_byte_keeps_its_origin) {
  for (auto [source, expected] :
       {std::pair{"a{{ u }}b", "a_________b"},
        {"{{ 'x' + u ~ 'y' }}", "x_________y"},
        {"{{ u[:4] }}{{ 'abc'[1:] }}", "____bc"},
        {"{{ ('<' + u + '>').upper() }}", "<_________>"},
        {"{{ 'ab' | replace('a', u) }}", "_________b"},
        {"{{ u | replace('User', 'my') }}", "my_____"},
        {"{{ (' ' + u + 'x ') | trim }}", "_________x"},
        {"{{ ('a,' + u + ',b').split(',') | join('-') }}", "a-_________-b"},
        {"{{ (u + 'z') | list | join('.') }}", "_._._._._._._._._.z"},
        {"{{ ('q' + u)[::-1] }}", "_________q"},
        {"{% set s %}({{ u }}){% endset %}{{ s }}", "(_________)"},
        {"{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(u) }}", "<_________>"},
        {"{{ u if u else 'a' }}{{ u and 'b' }}", "_________b"},
        {"{{ {'k': u}.k }}{{ [u, 'l'] | last }}", "_________l"},
        {"{{ 'a' | title }}{{ u | title }}", "A_________"},
        {"{{ 1 }}{{ true }}{{ [] }}", "_______"},
        {"{{ {'k': u} | tojson }}", "__k____"
                                    "_________"
                                    "__"}})
    BOOST_TEST_CONTEXT(source) BOOST_TEST(origins(source) == expected);
}

BOOST_AUTO_TEST_CASE(errors_name_the_construct_and_its_line) {
  for (auto [source, code, message] :
       {std::tuple{"\n{% block x %}", errc::unsupported,
                   "line 2: the statement \"block\" is not supported"},
        {"\n\n{{ 'a' | wordwrap }}", errc::unsupported,
         "line 3: the filter \"wordwrap\" is not supported"},
        {"{{ 'a' is prime }}", errc::unsupported,
         "line 1: the test \"prime\" is not supported"},
        {"{{ 'a'.encode() }}", errc::unsupported,
         "line 1: the method \"encode\" of a string is not supported"},
        {"{{ cycler(1) }}", errc::unsupported,
         "line 1: the function \"cycler\" is not supported"},
        {"{{ 2 ** 3 }}", errc::unsupported,
         "line 1: the operator \"**\" is not supported"},
        {"{% if 1 %}\n", errc::bad_file,
         "the end of the template instead of \"endif\""},
        {"\n{{ x.y }}", errc::bad_file, "line 2: \"x\" is undefined"},
        {"{{ raise_exception('a\nb') }}", errc::invalid_argument,
         "\"a\\nb\""}}) {
    auto e = failure(source);
    BOOST_TEST_CONTEXT(source << ": " << e.message) {
      BOOST_TEST((e.code == code));
      BOOST_TEST(e.message.starts_with("chat template, line "));
      BOOST_TEST(e.message.find(message) != e.message.npos);
    }
  }
}

// What is not supported only matters where it is reached.
BOOST_AUTO_TEST_CASE(filters_are_looked_up_when_they_are_evaluated) {
  BOOST_TEST(run("{% if false %}{{ 1 | wordwrap }}{% endif %}a")->bytes()
             == "a");
}

BOOST_AUTO_TEST_CASE(hostile_templates_end_in_an_error) {
  auto deep = [](std::string_view open, std::string_view inside,
                 std::string_view close) {
    return times(open, 100'000) + std::string{inside} + times(close, 100'000);
  };
  for (auto& source : {
           "{{ " + deep("(", "1", ")") + " }}",
           "{{ " + deep("[", "", "]") + " }}",
           "{{ " + deep("{1:", "1", "}") + " }}",
           "{{ " + deep("not ", "1", "") + " }}",
           "{{ " + deep("-", "1", "") + " }}",
           "{{ 1" + deep("+1", "", "") + " }}",
           "{{ 1" + deep("|string", "", "") + " }}",
           "{{ u" + deep(".a", "", "") + " }}",
           "{{ u" + deep("[0]", "", "") + " }}",
           "{{ 1" + deep(" if 1 else 1", "", "") + " }}",
           deep("{% if 1 %}", "a", "{% endif %}"),
           deep("{% for a in 'a' %}", "a", "{% endfor %}"),
           std::string{"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"},
           std::string{"{% for a in range(100000) %}{% for b in range(100000) "
                       "%}{% endfor %}{% endfor %}"},
           std::string{"{{ 'a' * 1000000000000 }}"},
           std::string{"{{ [1] * 1000000000 }}"},
           std::string{"{{ range(10000000) }}"},
           std::string{"{% set n = namespace(x='aaaaaaaa') %}{% for i in "
                       "range(100) %}{% set n.x = n.x + n.x %}{% endfor %}"},
           std::string{"{% set n = namespace(x='aaaaaaaa') %}{% for i in "
                       "range(100) %}{% set n.x = n.x | replace('a', n.x) "
                       "%}{% endfor %}"},
           std::string{"{% set n = namespace(x=[]) %}{% for i in range(1000) "
                       "%}{% set n.x = [n.x] %}{% endfor %}"},
           std::string{"{% set n = namespace(x=[]) %}{% for i in range(40) "
                       "%}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x == "
                       "n.x[:] }}"},
           std::string{"{% set n = namespace(x=[]) %}{% for i in range(40) "
                       "%}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}"},
           std::string{"{% set n = namespace() %}{% set n.x = n %}"},
           std::string{"{% set n = namespace() %}{% set n.x = [n] %}"},
           std::string{"{% for a in 'ab' %}{{ [loop] }}{% endfor %}"},
           std::string{"{{ 9223372036854775807 + 1 }}"},
           std::string{"{{ (-9223372036854775807 - 1) // -1 }}"},
           std::string{"{% set a = 'a' * 1000000 %}{{ (a + 'b') in (a + a) }}"},
           std::string{"{{ [1] | tojson(indent=1000000000) }}"},
       })
    BOOST_TEST_CONTEXT(source.substr(0, 100)) {
      auto e = failure(source);
      BOOST_TEST((e.code == errc::unsupported));
      BOOST_TEST(e.message.size() < 200u);
    }
}

BOOST_AUTO_TEST_CASE(bounds_are_those_given) {
  auto source = std::string{"{% for i in range(10) %}{{ i }}{% endfor %}"};
  BOOST_TEST(run(source).ok());
  BOOST_TEST((failure(source, {.steps = 10}).code == errc::unsupported));
  BOOST_TEST((failure(source, {.bytes = 100}).code == errc::unsupported));
  BOOST_TEST((failure(source, {.depth = 2}).code == errc::unsupported));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_utf8_stay) {
  BOOST_TEST(run("\xFF{{ '\x80\xC3' | upper }}{{ '\xFF'[0] }}\xE2\x82")->bytes()
             == "\xFF\x80\xC3\xFF\xE2\x82");
}

BOOST_AUTO_TEST_CASE(trusted_runs_are_those_of_the_bytes) {
  auto t = trusted("ab");
  t.append("", false);
  t.append("c", true);
  t.append("xy", false);
  t.append("d", true);
  using runs = std::vector<std::pair<size_t, size_t>>;
  BOOST_TEST((t.trusted_runs() == runs{{0, 3}, {5, 6}}));
  BOOST_TEST((t.cut(1, 4).trusted_runs() == runs{{0, 2}}));
  BOOST_TEST(text{}.trusted_runs().empty());
}

BOOST_AUTO_TEST_SUITE_END()
