#pragma once

// Reads audit logs, and proves what is in them.
#include "core/trust/audit_files.hpp"
#include "core/trust/audit_prove.hpp"
#include "core/trust/audit_verify.hpp"
#include "runtime/audit_keys.hpp"
