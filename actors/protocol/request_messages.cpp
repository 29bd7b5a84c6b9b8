#include "actors/protocol/request_messages.hpp"

namespace troupe {

sequence_spec::sequence_spec() noexcept = default;
sequence_spec::sequence_spec(const sequence_spec&) = default;
sequence_spec::sequence_spec(sequence_spec&&) noexcept = default;
sequence_spec& sequence_spec::operator=(const sequence_spec&) = default;
sequence_spec& sequence_spec::operator=(sequence_spec&&) noexcept = default;
sequence_spec::~sequence_spec() = default;

sequence_output::sequence_output() noexcept = default;
sequence_output::sequence_output(const sequence_output&) = default;
sequence_output::sequence_output(sequence_output&&) noexcept = default;
sequence_output& sequence_output::operator=(const sequence_output&) = default;
sequence_output&
sequence_output::operator=(sequence_output&&) noexcept = default;
sequence_output::~sequence_output() = default;

} // namespace troupe
