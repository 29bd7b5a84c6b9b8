#include "core/kv/kv_move.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

uint32_t kv_move::copy_ahead(const page_table& table, uint32_t most,
                             time_point now, kv_outbox& out) {
  if (sender_.now_in() != kv_sender::state::sending)
    return 0;
  auto n = std::min(table.length() / kv_block_tokens - copied_, most);
  if (n > 0)
    sender_.push(table, copied_, n, 0, sender_.offer().layout.layers, now, out);
  copied_ += n;
  return n;
}

bool kv_move::caught_up(const page_table& table) const {
  return sender_.now_in() == kv_sender::state::sending
         && copied_ == table.length() / kv_block_tokens && sender_.idle();
}

void kv_move::finish(const page_table& table, std::vector<token_id> generated,
                     time_point now, kv_outbox& out) {
  auto tokens = table.length();
  sender_.push(table, copied_, kv_layout::blocks_for(tokens) - copied_, 0,
               sender_.offer().layout.layers, now, out);
  sender_.finish(tokens, std::move(generated), now, out);
}

} // namespace troupe
