#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "runtime/cluster/certs.hpp"

namespace troupe {

namespace fs = std::filesystem;

namespace {

constexpr size_t largest_pem = size_t{1} << 20;

error failed(const std::string& path) {
  return fail(errc::io_error, path + ": " + std::strerror(errno));
}

bool good_name(const std::string& name) {
  return !name.empty() && name.size() <= 63 && name[0] != '.' && name[0] != '-'
         && std::all_of(name.begin(), name.end(), [](unsigned char c) {
              return std::isalnum(c) || c == '.' || c == '_' || c == '-';
            });
}

struct new_file {
  std::string path;
  std::string bytes;
  mode_t mode;
};

constexpr mode_t for_all = 0644;
constexpr mode_t for_owner = 0600;

result<void> write_new(const new_file& f) {
  auto fd =
      ::open(f.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, f.mode);
  if (fd < 0)
    return failed(f.path);
  auto left = std::string_view{f.bytes};
  while (!left.empty()) {
    auto n = ::write(fd, left.data(), left.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      break;
    left.remove_prefix(static_cast<size_t>(n));
  }
  // Before close, which may change errno.
  auto why = left.empty() ? result<void>{} : result<void>{failed(f.path)};
  if (::close(fd) != 0 && why)
    why = failed(f.path);
  return why;
}

result<std::string> read_pem(const std::string& path) {
  auto fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return failed(path);
  auto text = std::string{};
  char part[4096];
  auto n = ssize_t{0};
  while ((n = ::read(fd, part, sizeof(part))) > 0 && text.size() < largest_pem)
    text.append(part, static_cast<size_t>(n));
  auto read = n < 0 ? result<std::string>{failed(path)} : text;
  ::close(fd);
  return read;
}

result<certificate_authority> load_ca(const std::string& certificate,
                                      const std::string& key) {
  auto c = read_pem(certificate);
  if (!c)
    return c.failure();
  auto k = read_pem(key);
  if (!k)
    return k.failure();
  auto ca = certificate_authority::from_pem({*c, *k});
  if (!ca)
    return fail(errc::bad_file, certificate + ": " + ca.failure().message);
  return ca;
}

} // namespace

result<std::vector<std::string>> make_certs(const certs_options& o) {
  auto names = std::set<std::string>{};
  for (auto& n : o.nodes)
    if (!good_name(n) || n == "ca" || !names.insert(n).second)
      return fail(errc::invalid_argument,
                  "--node: \"" + n
                      + "\" is not a new name of letters, digits, '.', '_' "
                        "and '-'");
  if (o.days < 1 || o.days > 36500)
    return fail(errc::invalid_argument, "--days: from 1 to 36500");
  auto when = validity{};
  when.until = std::chrono::hours{24 * int64_t{o.days}};

  auto path = [&](const std::string& file) {
    return (fs::path{o.directory} / file).string();
  };
  auto ignored = std::error_code{};
  auto has_ca = fs::exists(path("ca.pem"), ignored)
                && fs::exists(path("ca.key"), ignored);
  auto ca = has_ca ? load_ca(path("ca.pem"), path("ca.key"))
                   : certificate_authority::create(when);
  if (!ca)
    return ca.failure();
  if (has_ca && o.nodes.empty())
    return fail(errc::invalid_argument,
                path("ca.pem") + ": is there already; name nodes with --node");
  auto files = std::vector<new_file>{};
  auto add = [&](const std::string& name, const pem_pair& p) {
    files.push_back({path(name + ".pem"), p.certificate, for_all});
    files.push_back({path(name + ".key"), p.key, for_owner});
  };
  if (!has_ca) {
    auto p = ca->pem();
    if (!p)
      return p.failure();
    add("ca", *p);
  }
  for (auto& n : o.nodes) {
    auto p = ca->issue(n, when);
    if (!p)
      return p.failure();
    add(n, *p);
  }
  for (auto& f : files)
    if (fs::exists(f.path, ignored))
      return fail(errc::io_error, f.path + ": is there already");
  if (auto e = std::error_code{}; fs::create_directories(o.directory, e), e)
    return fail(errc::io_error, o.directory + ": " + e.message());
  auto written = std::vector<std::string>{};
  for (auto& f : files) {
    if (auto w = write_new(f); !w)
      return w.failure();
    written.push_back(f.path);
  }
  return written;
}

} // namespace troupe
