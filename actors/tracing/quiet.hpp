#pragma once

namespace troupe::tracing {

/// Whether no thread handles a message that is recorded. What threads handled
/// before is then in their rings, whole.
bool quiet();

} // namespace troupe::tracing
