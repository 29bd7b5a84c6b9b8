#include "runtime/audit_keys.hpp"

#include <fcntl.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <span>

#include "runtime/whole_file.hpp"

namespace troupe {

namespace {

constexpr auto longest_key_file = size_t{4096};

template <size_t N>
result<void> draw(std::array<uint8_t, N>& to) {
  if (RAND_bytes(to.data(), static_cast<int>(to.size())) != 1)
    return fail(errc::unsupported, "there is no randomness for a key");
  return {};
}

error failed(const std::string& path, int number) {
  return fail(errc::io_error, path + ": " + std::strerror(number));
}

// A file that was not there before.
result<void> write_new(const std::string& path, std::string_view text,
                       mode_t mode) {
  auto fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0)
    return failed(path, errno);
  auto n = ::write(fd, text.data(), text.size());
  auto good = n == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  auto why = n >= 0 && errno == 0 ? ENOSPC : errno;
  ::close(fd);
  if (good)
    return {};
  ::unlink(path.c_str());
  return failed(path, why);
}

int64_t ns(auto since) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

} // namespace

result<std::vector<std::string>> make_audit_key(const std::string& base) {
  auto seed = ed25519_seed{};
  if (auto ok = draw(seed); !ok)
    return ok.failure();
  auto key = signing_key::from_seed(seed);
  if (!key)
    return key.failure();
  auto paths = std::vector{base + ".key", base + ".pub"};
  if (auto ok = write_new(paths[0], key->to_pem(), 0600); !ok)
    return ok.failure();
  if (auto ok = write_new(paths[1], to_pem(key->public_key()), 0644); !ok) {
    ::unlink(paths[0].c_str());
    return ok.failure();
  }
  return paths;
}

result<signing_key> read_signing_key(const std::string& path) {
  auto pem = read_whole_file(path, longest_key_file);
  if (!pem)
    return pem.failure();
  return signing_key::from_pem(*pem, path);
}

result<ed25519_public_key> read_public_key(const std::string& path) {
  auto pem = read_whole_file(path, longest_key_file);
  if (!pem)
    return pem.failure();
  return public_key_from_pem(*pem, path);
}

result<audit_salt> audit_salt_of(const std::string& log) {
  auto path = log + ".salt";
  auto salt = audit_salt{};
  if (auto ok = draw(salt); !ok)
    return ok.failure();
  auto text = to_hex(std::as_bytes(std::span{salt})) + "\n";
  if (::access(path.c_str(), F_OK) != 0) {
    if (auto ok = write_new(path, text, 0600); !ok)
      return ok.failure();
    return salt;
  }
  auto there = read_whole_file(path, text.size());
  if (!there)
    return there.failure();
  if (there->size() != text.size()
      || !from_hex(std::string_view{*there}.substr(0, text.size() - 1), salt))
    return fail(errc::bad_file,
                path
                    + ": not the salt of an audit log, which is 64 "
                      "hexadecimal digits and a newline");
  return salt;
}

result<std::shared_ptr<audit_log>> open_audit_log(const std::string& path,
                                                  signing_key key,
                                                  audit_log_options options,
                                                  audit_time now) {
  if (auto ok = draw(options.id); !ok)
    return ok.failure();
  auto folder = open_audit_folder(path);
  if (!folder)
    return folder.failure();
  auto log = audit_log::open(*std::move(folder), std::move(key), options, now);
  if (!log)
    return log.failure();
  return std::make_shared<audit_log>(*std::move(log));
}

audit_time audit_now() {
  return {ns(std::chrono::system_clock::now().time_since_epoch()),
          ns(std::chrono::steady_clock::now().time_since_epoch())};
}

} // namespace troupe
