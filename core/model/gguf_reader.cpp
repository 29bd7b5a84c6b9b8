#include <algorithm>
#include <bit>
#include <limits>

#include "core/model/gguf.hpp"

namespace troupe {

namespace {

// The fewest bytes that one of these takes in a file; they bound the counts
// before anything is allocated for them.
constexpr auto least_entry = size_t{8 + 1 + 4 + 1};
constexpr auto least_tensor = size_t{8 + 1 + 4 + 8 + 4 + 8};
constexpr auto most_key_bytes = size_t{65535};
constexpr auto most_name_bytes = size_t{64};

bool known(gguf_type t) {
  return t <= gguf_type::f64;
}

// Indexes of `items` sorted by `key`, or the first repeated key.
template <class T>
std::optional<std::string_view> sort_index(const std::vector<T>& items,
                                           std::string_view T::*key,
                                           std::vector<uint32_t>& index) {
  index.resize(items.size());
  for (auto i = size_t{0}; i < items.size(); ++i)
    index[i] = static_cast<uint32_t>(i);
  std::sort(index.begin(), index.end(), [&](uint32_t a, uint32_t b) {
    return items[a].*key < items[b].*key;
  });
  auto same = std::adjacent_find(
      index.begin(), index.end(),
      [&](uint32_t a, uint32_t b) { return items[a].*key == items[b].*key; });
  if (same != index.end())
    return items[*same].*key;
  return {};
}

} // namespace

/// Fills a gguf_file from its bytes, front to back. Each step returns whether
/// to go on; if not, `error_` says why.
class gguf_reader {
public:
  explicit gguf_reader(gguf_file& file) : file_(file), all_(file.bytes_) {}

  result<void> run() {
    if (read_start() && read_metadata() && read_alignment() && read_tensors()
        && place_data() && check_overlap())
      return {};
    return error_;
  }

private:
  bool stop(errc code, const std::string& reason) {
    error_ = file_.complain(code, reason);
    return false;
  }

  bool stop(const std::string& reason) { return stop(errc::bad_file, reason); }

  size_t left() const { return all_.size() - at_; }

  bool truncated(std::string_view in) {
    return stop("truncated in " + std::string{in});
  }

  template <class T>
  bool read(T& to, std::string_view in) {
    if (left() < sizeof(T))
      return truncated(in);
    to = load_unaligned<T>(all_.data() + at_);
    at_ += sizeof(T);
    return true;
  }

  bool read_string(std::string_view& to, std::string_view in) {
    auto size = uint64_t{0};
    if (!read(size, in))
      return false;
    if (size > left())
      return stop("truncated in " + std::string{in} + ": a string of "
                  + std::to_string(size) + " bytes with "
                  + std::to_string(left()) + " left");
    to = {reinterpret_cast<const char*>(all_.data() + at_),
          static_cast<size_t>(size)};
    at_ += static_cast<size_t>(size);
    return true;
  }

  bool read_start() {
    auto magic = std::array<char, 4>{};
    if (!read(magic, "the magic"))
      return false;
    if (std::string_view{magic.data(), magic.size()} != "GGUF")
      return stop("not a GGUF file: magic \""
                  + printable({magic.data(), magic.size()}) + "\"");
    if (!read(file_.version_, "the version"))
      return false;
    if (file_.version_ != 0 && (file_.version_ & 0xffff) == 0)
      return stop(errc::unsupported, "big-endian file");
    if (file_.version_ != 2 && file_.version_ != 3)
      return stop(errc::unsupported, "GGUF version "
                                         + std::to_string(file_.version_)
                                         + "; this build reads 2 and 3");
    if (!read(tensor_count_, "the tensor count")
        || !read(entry_count_, "the metadata count"))
      return false;
    if (entry_count_ > left() / least_entry)
      return stop("metadata count " + std::to_string(entry_count_)
                  + " is more than the file can hold");
    if (tensor_count_ > left() / least_tensor)
      return stop("tensor count " + std::to_string(tensor_count_)
                  + " is more than the file can hold");
    return true;
  }

  bool read_metadata() {
    file_.entries_.reserve(static_cast<size_t>(entry_count_));
    for (auto i = uint64_t{0}; i < entry_count_; ++i) {
      auto entry = gguf_entry{};
      if (!read_entry(entry, i))
        return false;
      file_.entries_.push_back(entry);
    }
    if (auto twice =
            sort_index(file_.entries_, &gguf_entry::key, file_.entry_index_))
      return stop("duplicate metadata key " + printable(*twice));
    return true;
  }

  bool read_entry(gguf_entry& entry, uint64_t number) {
    auto in = "metadata key " + std::to_string(number);
    if (!read_string(entry.key, in))
      return false;
    if (entry.key.empty())
      return stop(in + " is empty");
    if (entry.key.size() > most_key_bytes)
      return stop(in + " is " + std::to_string(entry.key.size())
                  + " bytes long");
    in = "metadata key " + printable(entry.key);
    if (!read(entry.type, in))
      return false;
    if (!known(entry.type))
      return stop(in + " has unknown type " + number_of(entry.type));
    entry.element = entry.type;
    if (entry.type == gguf_type::array) {
      if (!read(entry.element, in) || !read(entry.count, in))
        return false;
      if (entry.element == gguf_type::array)
        return stop(errc::unsupported, in + " is an array of arrays");
      if (!known(entry.element))
        return stop(in + " has elements of unknown type "
                    + number_of(entry.element));
    }
    auto start = at_;
    if (!skip_values(entry, in))
      return false;
    entry.bytes = all_.subspan(start, at_ - start);
    return true;
  }

  static std::string number_of(gguf_type t) {
    return std::to_string(static_cast<uint32_t>(t));
  }

  bool skip_values(const gguf_entry& entry, const std::string& in) {
    auto is_string = entry.element == gguf_type::string;
    auto least = is_string ? 8u : value_bytes(entry.element);
    if (entry.count > left() / least) {
      if (entry.type != gguf_type::array)
        return truncated(in);
      return stop("truncated in " + in + ": an array of "
                  + std::to_string(entry.count) + " with "
                  + std::to_string(left()) + " bytes left");
    }
    if (is_string) {
      auto text = std::string_view{};
      for (auto i = uint64_t{0}; i < entry.count; ++i)
        if (!read_string(text, in))
          return false;
      return true;
    }
    auto size = static_cast<size_t>(entry.count) * least;
    if (entry.element == gguf_type::boolean)
      for (auto byte : all_.subspan(at_, size))
        if (std::to_integer<int>(byte) > 1)
          return stop(in + " has a bool that is neither 0 nor 1");
    at_ += size;
    return true;
  }

  bool read_alignment() {
    auto given = file_.get_u32("general.alignment");
    if (!given) {
      error_ = given.failure();
      return false;
    }
    file_.alignment_ = given->value_or(32);
    if (!std::has_single_bit(file_.alignment_) || file_.alignment_ < 8)
      return stop("general.alignment is " + std::to_string(file_.alignment_)
                  + ", not a power of two of at least 8");
    return true;
  }

  bool read_tensors() {
    file_.tensors_.reserve(static_cast<size_t>(tensor_count_));
    for (auto i = uint64_t{0}; i < tensor_count_; ++i) {
      auto tensor = gguf_tensor{};
      if (!read_tensor(tensor, i))
        return false;
      file_.tensors_.push_back(tensor);
    }
    if (auto twice =
            sort_index(file_.tensors_, &gguf_tensor::name, file_.tensor_index_))
      return stop("duplicate tensor " + printable(*twice));
    return true;
  }

  bool read_tensor(gguf_tensor& tensor, uint64_t number) {
    auto in = "tensor " + std::to_string(number);
    if (!read_string(tensor.name, in))
      return false;
    if (tensor.name.empty())
      return stop(in + " has an empty name");
    if (tensor.name.size() > most_name_bytes)
      return stop(in + " has a name of " + std::to_string(tensor.name.size())
                  + " bytes");
    in = "tensor " + printable(tensor.name);
    if (!read(tensor.dims, in))
      return false;
    if (tensor.dims < 1 || tensor.dims > tensor.shape.size())
      return stop(in + " has " + std::to_string(tensor.dims)
                  + " dimensions, not 1 to 4");
    auto values = uint64_t{1};
    for (auto d = 0u; d < tensor.dims; ++d) {
      auto& size = tensor.shape[d];
      if (!read(size, in))
        return false;
      if (size == 0)
        return stop(in + " has a dimension of 0");
      if (size > uint64_t{std::numeric_limits<int64_t>::max()} / values)
        return stop(in + " has too many values");
      values *= size;
    }
    return read(tensor.type, in) && read(tensor.offset, in);
  }

  bool place_data() {
    auto mask = size_t{file_.alignment_} - 1;
    auto start = (at_ + mask) & ~mask;
    // A file of metadata alone need not be padded.
    file_.data_start_ = std::min(start, all_.size());
    for (auto& tensor : file_.tensors_)
      if (!place(tensor))
        return false;
    return true;
  }

  // `tensor.offset` counts from the start of the data until here.
  bool place(gguf_tensor& tensor) {
    auto in = "tensor " + printable(tensor.name);
    if (tensor.offset % file_.alignment_ != 0)
      return stop(in + " is at offset " + std::to_string(tensor.offset)
                  + ", which is not a multiple of the alignment "
                  + std::to_string(file_.alignment_));
    auto room = all_.size() - file_.data_start_;
    if (tensor.offset >= room)
      return stop(in + " lies beyond the end of the file");
    auto offset = static_cast<size_t>(tensor.offset);
    tensor.offset += file_.data_start_;
    auto encoding = find_encoding(tensor.type);
    if (!encoding)
      return true; // whoever needs this tensor will complain
    if (tensor.cols() % encoding->block_values != 0)
      return stop(in + " has rows of " + std::to_string(tensor.cols())
                  + " values, not a multiple of "
                  + std::to_string(encoding->block_values) + " as "
                  + std::string{encoding->name} + " needs");
    auto blocks = tensor.values() / encoding->block_values;
    if (blocks > (room - offset) / encoding->block_bytes)
      return stop(in + " extends beyond the end of the file");
    auto size = static_cast<size_t>(blocks) * encoding->block_bytes;
    tensor.data = all_.subspan(file_.data_start_ + offset, size);
    return true;
  }

  bool check_overlap() {
    auto order = std::vector<const gguf_tensor*>{};
    order.reserve(file_.tensors_.size());
    for (auto& tensor : file_.tensors_)
      order.push_back(&tensor);
    std::sort(order.begin(), order.end(),
              [](auto a, auto b) { return a->offset < b->offset; });
    for (auto i = size_t{1}; i < order.size(); ++i) {
      auto before = order[i - 1];
      // One of unknown size takes at least a byte.
      auto size = std::max<size_t>(before->data.size(), 1);
      if (before->offset + size > order[i]->offset)
        return stop("tensors " + printable(before->name) + " and "
                    + printable(order[i]->name) + " overlap");
    }
    return true;
  }

  gguf_file& file_;
  const_bytes all_;
  size_t at_ = 0;
  uint64_t tensor_count_ = 0;
  uint64_t entry_count_ = 0;
  error error_;
};

result<gguf_file> gguf_file::open(const std::string& path) {
  auto map = mapped_file::open(path);
  if (!map)
    return map.failure();
  auto file = parse(map->bytes(), path);
  if (file)
    file->map_ = *std::move(map);
  return file;
}

result<gguf_file> gguf_file::parse(const_bytes bytes, std::string name) {
  auto file = gguf_file{};
  file.path_ = std::move(name);
  file.bytes_ = bytes;
  auto done = gguf_reader{file}.run();
  if (!done)
    return done.failure();
  return file;
}

} // namespace troupe
